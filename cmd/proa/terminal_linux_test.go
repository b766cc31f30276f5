package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a proa at its other end: unlike a script's it can wait for a question before it
// answers, and sees what the terminal echoes. It is made of the system calls that golang.org/x/sys has anyway; a library for
// it would save thirty lines.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	done   chan struct{}

	mu     sync.Mutex
	screen bytes.Buffer
}

// session is how a proa on a terminal differs from the usual one: on 80 columns, with colours, all streams there.
type session struct {
	columns uint16
	env     []string
	// out is the standard output, if it isn't the terminal.
	out *os.File
}

func onTerminal(t *testing.T, home string, args ...string) *terminal {
	t.Helper()
	return session{}.start(t, home, args...)
}

func (s session) start(t *testing.T, home string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: cmp.Or(s.columns, 80)}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "proa", args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "PROA_CONFIG_DIR=", "XDG_CONFIG_HOME=", "PROA_DATA_DIR=", "XDG_DATA_HOME=", "NO_COLOR=", "TERM=xterm", `PROA_PAGER=sed 's/^/page: /'`)
	cmd.Env = append(cmd.Env, s.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if s.out != nil {
		cmd.Stdout = s.out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	out := &terminal{t: t, master: master, cmd: cmd, done: make(chan struct{})}
	go out.watch()
	return out
}

func (p *terminal) watch() {
	defer close(p.done)
	for buffer := make([]byte, 4096); ; {
		n, err := p.master.Read(buffer)
		p.mu.Lock()
		p.screen.Write(buffer[:n])
		p.mu.Unlock()
		if err != nil {
			return // the last process at the other end is gone
		}
	}
}

func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// answer waits for a question and types an answer.
func (p *terminal) answer(question, keys string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.text(), question); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the question %q doesn't come:\n%s", question, p.text())
		}
	}
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code and all that was on the screen.
func (p *terminal) exit() (int, string) {
	p.t.Helper()
	err := p.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		p.t.Fatal(err)
	}
	<-p.done
	return p.cmd.ProcessState.ExitCode(), p.text()
}

func TestSecretsAreNotEchoed(t *testing.T) {
	home := t.TempDir()
	p := onTerminal(t, home, "container-registry", "register", "reg", "--flavor=default", "--uri=registry.example.com", "--insecure=false", "-i")
	p.answer("username:", "somebody\n")
	p.answer("password:", "ca'na\"ry%s\n")
	p.answer("ca:", "\n")
	code, screen := p.exit()
	if code != 0 || !strings.Contains(screen, "successfully registered") {
		t.Fatalf("code %d:\n%s", code, screen)
	}
	if !strings.Contains(screen, "somebody") || strings.Contains(screen, "ca'na") {
		t.Errorf("the user's name must be seen, and the password must not:\n%s", screen)
	}
	file, err := os.ReadFile(filepath.Join(home, ".config/proa/stacks.yaml"))
	if err != nil || !strings.Contains(string(file), `password: ca'na"ry%s`) {
		t.Errorf("the password isn't kept as it was typed: %v\n%s", err, file)
	}
}

func TestInterruptInAPrompt(t *testing.T) {
	for _, question := range []string{"username:", "password:"} {
		home := t.TempDir()
		p := onTerminal(t, home, "container-registry", "register", "reg", "--flavor=default", "--uri=registry.example.com", "-i")
		if question == "password:" {
			p.answer("username:", "somebody\n")
		}
		p.answer(question, "\x03")
		code, screen := p.exit()
		if code != 3 || !strings.Contains(screen, "interrupted: nothing was done") {
			t.Errorf("at %q: code %d:\n%s", question, code, screen)
		}
		if _, err := os.Stat(filepath.Join(home, ".config/proa/stacks.yaml")); !os.IsNotExist(err) {
			t.Errorf("at %q: something was registered: %v", question, err)
		}
		settings, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if settings.Lflag&unix.ECHO == 0 {
			t.Errorf("at %q: the terminal is left without an echo", question)
		}
	}
}

// TestLongListsArePaged has a list that fits the terminal, and one that doesn't; a pipe never gets a pager.
func TestLongListsArePaged(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".config/proa/stacks.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stores int
		paged  bool
	}{{20, false}, {1000, true}} {
		var text strings.Builder
		text.WriteString("components:\n  artifact-store:\n")
		for i := range c.stores {
			fmt.Fprintf(&text, "    store%d: {flavor: s3, attributes: {path: s3://bucket/%d}}\n", i, i)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		p := onTerminal(t, home, "artifact-store", "list")
		code, screen := p.exit()
		last := fmt.Sprintf("store%d ", c.stores-1)
		if code != 0 || !strings.Contains(screen, last) || strings.Contains(screen, "page: ") != c.paged {
			t.Errorf("%d stores: code %d, paged: want %v:\n%.500s", c.stores, code, c.paged, screen)
		}
		cmd := exec.CommandContext(t.Context(), "proa", "artifact-store", "list")
		cmd.Env = append(os.Environ(), "HOME="+home, "PROA_CONFIG_DIR=", "XDG_CONFIG_HOME=", "TERM=xterm", "PROA_PAGER=false")
		if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), last) {
			t.Errorf("%d stores through a pipe: %v", c.stores, err)
		}
	}
}
