package process

import (
	"os"
	"strings"
)

// Tail returns the last lines of a log, for an error message.
func Tail(path string, lines int) string {
	const most = 64 << 10
	log, err := os.Open(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer log.Close()
	size, err := log.Seek(0, 2)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	buffer := make([]byte, min(size, most))
	if _, err := log.ReadAt(buffer, size-int64(len(buffer))); err != nil {
		return "(no log: " + err.Error() + ")"
	}
	all := strings.Split(strings.TrimRight(string(buffer), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
