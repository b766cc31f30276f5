package launch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// crashing names the file of a process that is to end badly, and how.
const crashing = "LAST_WORDS_TEST"

func TestMain(m *testing.M) {
	if path, how, ok := strings.Cut(os.Getenv(crashing), "="); ok {
		_, words := openLastWords(path)
		switch how {
		case "panic":
			panic("the engine is on fire")
		case "kill":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "error":
			words.say(errors.New("the lease is another's"))
			os.Exit(1)
		}
		words.say(nil)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLastWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ how, want string }{
		{"panic", "panic: the engine is on fire"},
		{"error", "the lease is another's"},
		{"kill", silence},
		{"done", ""},
	} {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), crashing+"="+path+"="+test.how)
		_ = cmd.Run() // how it ends is what this is about
		before, words := openLastWords(path)
		if !strings.HasPrefix(before, test.want) || (before == "") != (test.want == "") {
			t.Errorf("%s: its last words are %q, not %q", test.how, before, test.want)
		}
		if test.how == "panic" && !strings.Contains(before, "lastwords_test.go") {
			t.Errorf("no trace in %q", before)
		}
		words.say(nil)
	}
}
