// Package debian takes from the Debian packages what the cluster needs: programs of this machine, and the Python base image.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A Program is needed on this machine, and comes with a Debian package.
type Program struct {
	Path    string // a name to be found on the PATH, or an absolute path
	Package string
}

// Programs returns what the cluster runs that Go cannot build.
func Programs() []Program {
	return []Program{
		{"containerd", "containerd"},
		{"containerd-shim-runc-v2", "containerd"},
		{"runc", "runc"},
		{"/usr/lib/cni/ptp", "containernetworking-plugins"},
		{"/usr/lib/cni/host-local", "containernetworking-plugins"},
		{"/usr/lib/cni/loopback", "containernetworking-plugins"},
		{"nft", "nftables"},
		{"ip", "iproute2"},
		{"nsenter", "util-linux"},
		{"mount", "mount"},
		{"mariadbd", "mariadb-server-core"},
		{"mariadb-install-db", "mariadb-server-core"},
		{"node", "nodejs"},
		{"npm", "npm"},
		{"dockerd", "docker.io"},
		{"dbus-daemon", "dbus-daemon"},
		{"gnome-keyring-daemon", "gnome-keyring"}, // no part of the cluster: tests start one of their own
	}
}

// Apt runs apt-get, bringing the package lists up to date before its first use.
type Apt struct {
	once sync.Once
}

// Check says in words what this machine lacks to run the cluster at all.
func Check() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the test cluster runs on Linux only, and this is %s; point PROA_TEST_CONTEXT at a cluster that you have instead", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("the test cluster needs root: it makes a network namespace and runs containers; run it with sudo, or point PROA_TEST_CONTEXT at a cluster that you have instead")
	}
	return nil
}

// Missing returns the packages of the programs that are not there.
func Missing(programs []Program) []string {
	var packages []string
	for _, program := range programs {
		if _, err := exec.LookPath(program.Path); err != nil && !slices.Contains(packages, program.Package) {
			packages = append(packages, program.Package)
		}
	}
	return packages
}

// Install installs packages, and removes none to do so.
func (a *Apt) Install(ctx context.Context, packages []string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing on this machine, and there is no apt-get to install them: %s (names of Debian packages)", strings.Join(packages, ", "))
	}
	args := append([]string{"-y", "-qq", "--no-install-recommends", "--no-remove", "install"}, packages...)
	return a.get(ctx, args...)
}

// get runs apt-get.
func (a *Apt) get(ctx context.Context, args ...string) error {
	// An update that fails is no matter as long as the lists there are will do.
	a.once.Do(func() { _ = quiet(ctx, "apt-get", "-qq", "update") })
	return quiet(ctx, "apt-get", args...)
}

// quiet runs a command whose output matters only when it fails.
func quiet(ctx context.Context, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	output, err := command.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return nil
}
