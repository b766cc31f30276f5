package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// basePackages returns what every image is made of; apt-get adds what they depend on.
func basePackages() []string {
	return []string{"base-files", "bash", "dash", "coreutils", "findutils", "grep", "sed", "libc-bin", "tzdata", "netbase",
		"ca-certificates", "libstdc++6", "libgcc-s1"}
}

// recipe is a text that changes when an image does.
func recipe(version string, packages ...string) string {
	release, _ := os.ReadFile("/etc/os-release") // without one the recipe is the packages alone
	return version + "\n" + strings.Join(packages, " ") + "\n" + string(release)
}

// newRoot makes the root of an image in the directory work, which must be empty. It is made of the base packages and of those given,
// and, where the release has them, of the optional ones.
func (a *Apt) newRoot(ctx context.Context, work string, packages, optional []string) (string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", errors.New("images are made of Debian packages, and there is no apt-get here")
	}
	archives, err := a.download(ctx, work, append(basePackages(), packages...), optional)
	if err != nil {
		return "", fmt.Errorf("downloading the packages of the image: %w", err)
	}
	root := filepath.Join(work, "root")
	if err := skeleton(root); err != nil {
		return "", fmt.Errorf("making the root of the image: %w", err)
	}
	for _, path := range archives {
		if name := packageName(path); dispensable(name) && !slices.Contains(packages, name) {
			continue
		}
		if err := unpack(ctx, path, root); err != nil {
			return "", fmt.Errorf("unpacking the image: %w", err)
		}
	}
	if err := finish(root); err != nil {
		return "", fmt.Errorf("finishing the image: %w", err)
	}
	return root, nil
}

// download fetches the packages and their dependencies, as if nothing were installed.
func (a *Apt) download(ctx context.Context, work string, packages, optional []string) ([]string, error) {
	status, archives := filepath.Join(work, "status"), filepath.Join(work, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(status, nil, 0o600); err != nil {
		return nil, err
	}
	args := []string{"-y", "-qq", "--no-install-recommends", "--download-only", "-o", "APT::Sandbox::User=root",
		"-o", "Dir::State::status=" + status, "-o", "Dir::Cache::archives=" + archives + "/", "install"}
	args = append(args, packages...)
	err := a.get(ctx, append(slices.Clone(args), optional...)...)
	if err != nil && len(optional) > 0 {
		err = a.get(ctx, args...)
	}
	if err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(archives, "*.deb"))
}

func packageName(archive string) string {
	name, _, _ := strings.Cut(filepath.Base(archive), "_")
	return name
}

// dispensable says that a package is of use only to install others.
func dispensable(name string) bool {
	return slices.Contains([]string{"perl-base", "debconf", "dpkg", "tar", "mawk"}, name)
}

// unpack lays a package's files into the root.
func unpack(ctx context.Context, path, root string) error {
	const script = `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink`
	return quiet(ctx, "bash", "-o", "pipefail", "-c", script, "unpack", path, root)
}

// skeleton makes the directories and links that an installed system has before its first package.
func skeleton(root string) error {
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", name), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

// finish does what the packages' own scripts would have done, and removes what a container has no use for.
func finish(root string) error {
	for _, name := range []string{"doc", "man", "info", "locale", "lintian", "bug", "doc-base", "menu", "pixmaps", "perl5", "bash-completion"} {
		if err := os.RemoveAll(filepath.Join(root, "usr/share", name)); err != nil {
			return err
		}
	}
	certificates, err := bundle(filepath.Join(root, "usr/share/ca-certificates/mozilla"))
	if err != nil {
		return err
	}
	files := map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n" +
			"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"etc/group":                         "root:x:0:\nnogroup:x:65534:\n",
		"etc/nsswitch.conf":                 "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
		"etc/ssl/certs/ca-certificates.crt": string(certificates),
		"var/lib/dpkg/status":               "", // as if nothing were installed: what is needed is there all the same
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return openDirectories(root)
}

// openDirectories makes the directories for temporary files writable for everyone.
func openDirectories(root string) error {
	for _, name := range []string{"tmp", "var/tmp"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o777|fs.ModeSticky); err != nil {
			return err
		}
	}
	return nil
}

// bundle joins the certificates in a directory.
func bundle(dir string) ([]byte, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.crt"))
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, path := range paths {
		certificate, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all.Write(certificate)
		all.WriteByte('\n')
	}
	return all.Bytes(), nil
}
