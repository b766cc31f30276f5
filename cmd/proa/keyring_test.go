package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proa-ml/proa/internal/testbed"
)

// TestSecretsInTheKeyring keeps secrets under a key in a real keyring, and locks it.
func TestSecretsInTheKeyring(t *testing.T) {
	service := testbed.NewSecretService(t)
	service.Unlock()
	home := t.TempDir()
	proa := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), "proa", args...)
		cmd.Env = append(os.Environ(), "HOME="+home, "PROA_CONFIG_DIR=", "PROA_DATA_DIR=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=",
			"PROA_SECRETS_PASSPHRASE=", "DBUS_SESSION_BUS_ADDRESS="+service.Address)
		cmd.Stdin = strings.NewReader("the-canary")
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, line := range []string{
		"secrets-manager register mine --flavor=local --encryption=keyring",
		"stack register safe -o default -a default -m default -x mine --set",
		"secret create database --password=@-",
	} {
		if out, code := proa(strings.Fields(line)...); code != 0 {
			t.Fatalf("proa %s: %s", line, out)
		}
	}
	if out, code := proa("secret", "get", "database", "password", "--show"); code != 0 || out != "the-canary\n" {
		t.Errorf("code %d: %s", code, out)
	}
	data, err := os.ReadFile(filepath.Join(home, ".local/share/proa/secrets.json"))
	if err != nil || bytes.Contains(data, []byte("canary")) || !bytes.Contains(data, []byte(`"keyring"`)) {
		t.Errorf("the file isn't encrypted: %v\n%s", err, data)
	}
	service.Lock()
	for _, line := range []string{"secret get database", "secret create more --key=x", "stack check safe"} {
		out, code := proa(strings.Fields(line)...)
		if code != 4 || !strings.Contains(out, "keyring, which is locked") || !strings.Contains(out, "gnome-keyring-daemon --unlock") {
			t.Errorf("proa %s with a locked keyring: code %d:\n%s", line, code, out)
		}
	}
}
