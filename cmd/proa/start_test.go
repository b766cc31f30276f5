package main

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A command that looks at files only takes no time to speak of, though the program holds clients for clusters, clouds and
// databases. The fastest of some counts: the machine may be busy.
func TestCommandsStartFast(t *testing.T) {
	const most = 300 * time.Millisecond
	home := t.TempDir()
	fastest := time.Hour
	for range 10 {
		cmd := exec.Command(os.Args[0], "stack", "list")
		cmd.Args[0] = "proa"
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
		began := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(began))
	}
	if fastest > most {
		t.Errorf("`proa stack list` takes %s, want at most %s", fastest, most)
	}
	t.Logf("`proa stack list` takes %s", fastest)
}
