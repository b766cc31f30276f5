package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
)

// lastWords is a file that outlives a coordinator's process in its pod. In it stands why the process ended, a crash with its
// trace, so that the one that is started in its place can record it: the pod's own log ends with the pod.
type lastWords struct {
	path string
	file *os.File
}

// mostWords is how much of what a process said at its end is kept.
const mostWords = 8 << 10

// silence is what is known of a process that could say nothing.
const silence = "it ended without a word, as when it is killed, perhaps for its memory"

// openLastWords returns how the process before this one ended, empty if there was none, and has a crash of this one
// written down. Without a place for it, there are none.
func openLastWords(path string) (before string, w lastWords) {
	if path == "" {
		return "", lastWords{}
	}
	data, err := os.ReadFile(path)
	switch text := strings.TrimSpace(string(data)); {
	case errors.Is(err, fs.ErrNotExist):
	case text == "":
		before = silence
	default:
		before = text[:min(len(text), mostWords)]
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return before, lastWords{}
	}
	_ = debug.SetCrashOutput(file, debug.CrashOptions{}) // without it a crash is taken for silence
	return before, lastWords{path, file}
}

// say writes down how this process ends.
func (w lastWords) say(err error) {
	switch {
	case w.file == nil:
		return
	case err == nil:
		_ = os.Remove(w.path)
	default:
		_, _ = fmt.Fprintln(w.file, err)
	}
	_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
	_ = w.file.Close()
}
