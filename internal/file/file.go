// Package file keeps files of the user's that several processes may change at once: a lock to take turns, and a write
// that a reader sees whole or not at all.
package file

import (
	"fmt"
	"os"
	"path/filepath"
)

// Replace replaces a file at once: a reader sees the old content or the new, never a part. Only the user may read it. A link
// stays one, such as to a file that is kept under version control elsewhere.
func Replace(path string, data []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	return err
}
