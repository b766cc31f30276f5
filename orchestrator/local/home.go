package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/proa-ml/proa/step"
)

// home is the folder of one orchestrator. A lock that its process holds tells it from what a crashed one left behind.
type home struct {
	dir  string
	lock *os.File
}

const (
	homePattern = "local-*"
	lockName    = "lock"
)

// openHome makes a folder in dir, and removes the abandoned ones.
func openHome(dir string) (*home, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("making the folder for local runs: %w", err)
	}
	sweep(dir)
	h := &home{}
	if h.dir, err = os.MkdirTemp(dir, homePattern); err != nil {
		return nil, fmt.Errorf("making a folder for this run's processes: %w", err)
	}
	if err := h.claim(); err != nil {
		return nil, errors.Join(fmt.Errorf("locking this run's folder: %w", err), os.RemoveAll(h.dir))
	}
	return h, nil
}

// claim takes the folder's lock. The file gets its name when it is locked, so that nobody sees it unlocked.
func (h *home) claim() (err error) {
	path := filepath.Join(h.dir, lockName)
	if h.lock, err = lock(path+".new", os.O_CREATE); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// sweep removes folders whose process is gone, with the secrets in them.
func sweep(dir string) {
	homes, _ := filepath.Glob(filepath.Join(dir, homePattern))
	for _, abandoned := range homes {
		// A folder without a lock is one that is just being made.
		if l, err := lock(filepath.Join(abandoned, lockName), 0); err == nil {
			_ = os.RemoveAll(abandoned)
			_ = l.Close()
		}
	}
}

func lock(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeAccess writes the file that the launchers read their access from.
func (h *home) writeAccess(access step.Access) (string, error) {
	data, err := json.Marshal(access)
	if err != nil {
		return "", fmt.Errorf("encoding the access to the artifact store: %w", err)
	}
	path := filepath.Join(h.dir, "access.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("writing the access to the artifact store: %w", err)
	}
	return path, nil
}

func (h *home) workFolder(attempt string) (string, error) {
	path := filepath.Join(h.dir, "work", attempt)
	return path, os.MkdirAll(path, 0o700)
}

func (h *home) removeWork(attempt string) {
	_ = os.RemoveAll(filepath.Join(h.dir, "work", attempt))
}

func (h *home) close() error {
	return errors.Join(os.RemoveAll(h.dir), h.lock.Close())
}
