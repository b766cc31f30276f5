package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A SecretService is a keyring as on a Linux desktop: a D-Bus session and a gnome-keyring of its own, in a folder of its own.
type SecretService struct {
	// Address is the bus's, for DBUS_SESSION_BUS_ADDRESS.
	Address string
	t       testing.TB
	dir     string
	conn    *dbus.Conn
	daemon  *exec.Cmd
}

// noActivation is a session that starts no services by itself, least of all this machine's user's.
const noActivation = `<busconfig><type>session</type><listen>unix:path=PATH</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// NewSecretService starts a session without a keyring.
func NewSecretService(t testing.TB) *SecretService {
	t.Helper()
	for _, program := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			Missing(t, "there is no %s: the Debian packages dbus-daemon and gnome-keyring have what this test starts", program)
		}
	}
	dir, err := os.MkdirTemp("", "keyring") // a socket's path has to be shorter than those of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(strings.Replace(noActivation, "PATH", filepath.Join(dir, "bus"), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &SecretService{Address: "unix:path=" + filepath.Join(dir, "bus"), t: t, dir: dir}
	bus := s.start("dbus-daemon", "", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog")
	t.Cleanup(func() { s.stop(bus) })
	s.await("the bus", func() bool {
		s.conn, err = dbus.Connect(s.Address)
		return err == nil
	})
	t.Cleanup(func() { _ = s.conn.Close() })
	return s
}

// Unlock starts the keyring, or starts it again, and unlocks it.
func (s *SecretService) Unlock() { s.t.Helper(); s.serve("a password", "--unlock") }

// Lock starts it again locked, and with nobody who could be asked for the password.
func (s *SecretService) Lock() { s.t.Helper(); s.serve("") }

// Stop ends the keyring; the session stays.
func (s *SecretService) Stop() {
	s.t.Helper()
	if s.daemon == nil {
		return
	}
	s.stop(s.daemon)
	s.daemon = nil
	s.await("the keyring's end", func() bool { return !s.owned() })
}

func (s *SecretService) serve(password string, args ...string) {
	s.t.Helper()
	s.Stop()
	s.daemon = s.start("gnome-keyring-daemon", password, append([]string{"--foreground", "--components=secrets", "--control-directory=" + filepath.Join(s.dir, "control")}, args...)...)
	s.t.Cleanup(s.Stop)
	s.await("the keyring", s.owned)
}

func (s *SecretService) owned() bool {
	var owned bool
	err := s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&owned)
	return err == nil && owned
}

func (s *SecretService) start(program, input string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(program, args...) // stopped by the test's end
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "XDG_DATA_HOME=" + filepath.Join(s.dir, "data"), "XDG_RUNTIME_DIR=" + s.dir, "DBUS_SESSION_BUS_ADDRESS=" + s.Address}
	cmd.Stdin = strings.NewReader(input)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

func (s *SecretService) stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// await waits until something is so.
func (s *SecretService) await(what string, so func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s doesn't come", what)
		}
	}
}
