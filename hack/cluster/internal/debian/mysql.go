package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// mysqlPackage is MySQL's server, which of Debian's suites only the unstable one has.
const (
	mysqlPackage = "mysql-server-core"
	mysqlSuite   = "sid"
)

// MySQLRecipe is a text that changes when what NewMySQL makes does.
func MySQLRecipe() string { return "mysql 1\n" + mysqlSuite + " " + mysqlPackage }

// NewMySQL unpacks MySQL's server and all that it needs into a directory below work, which must be empty, and returns it. Nothing
// of it is meant for this machine's release, so it brings even its own libc: see MySQLCommand.
func (a *Apt) NewMySQL(ctx context.Context, work string) (root string, err error) {
	options, err := a.suite(ctx, work, mysqlSuite)
	if err != nil {
		return "", fmt.Errorf("looking for MySQL in Debian: %w", err)
	}
	if err := quiet(ctx, "apt-get", append(slices.Clone(options), "-qq", "update")...); err != nil {
		return "", fmt.Errorf("reading what Debian %s has: %w", mysqlSuite, err)
	}
	download := append(slices.Clone(options), "-y", "-qq", "--no-install-recommends", "--download-only", "install", mysqlPackage)
	if err := quiet(ctx, "apt-get", download...); err != nil {
		return "", fmt.Errorf("downloading MySQL: %w", err)
	}
	archives, err := filepath.Glob(filepath.Join(work, "archives", "*.deb"))
	if err != nil {
		return "", fmt.Errorf("looking for what was downloaded: %w", err)
	}
	root = filepath.Join(work, "root")
	if err := skeleton(root); err != nil {
		return "", fmt.Errorf("making a directory for MySQL: %w", err)
	}
	for _, path := range archives {
		if name := packageName(path); strings.HasPrefix(name, "perl") || strings.HasPrefix(name, "libperl") {
			continue // only its tools need it
		}
		if err := unpack(ctx, path, root); err != nil {
			return "", fmt.Errorf("unpacking MySQL: %w", err)
		}
	}
	return root, nil
}

// suite returns the options with which apt-get knows one suite of Debian, and nothing of this machine.
func (a *Apt) suite(ctx context.Context, work, name string) ([]string, error) {
	uri, keys, err := archive(ctx)
	if err != nil {
		return nil, err
	}
	sources, status := filepath.Join(work, "sources.list"), filepath.Join(work, "status")
	for _, dir := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return nil, err
		}
	}
	for path, content := range map[string]string{sources: fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keys, uri, name), status: ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	var options []string
	for _, option := range []string{
		"Dir::Etc::sourcelist=" + sources, "Dir::Etc::sourceparts=-", "Dir::State::status=" + status,
		"Dir::State::lists=" + filepath.Join(work, "lists"), "Dir::Cache::archives=" + filepath.Join(work, "archives") + "/",
		"Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", "APT::Sandbox::User=root", "Acquire::Languages=none",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	} {
		options = append(options, "-o", option)
	}
	return options, nil
}

// archive finds where this machine has its Debian packages from, and the keys that they are signed with.
func archive(ctx context.Context) (uri, keys string, err error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", "", errors.New("there is no apt-get here")
	}
	output, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return "", "", fmt.Errorf("asking apt-get for its sources: %w", err)
	}
	for line := range strings.Lines(string(output)) {
		if found, is := strings.CutPrefix(strings.TrimSpace(line), "Debian "); is {
			keys := "/usr/share/keyrings/debian-archive-keyring.gpg"
			if _, err := os.Stat(keys); err != nil {
				return "", "", fmt.Errorf("the keys of Debian's archive are missing (package debian-archive-keyring): %w", err)
			}
			return found, keys, nil
		}
	}
	return "", "", errors.New("this machine has no packages of Debian's")
}

// MySQLCommand returns the command that runs MySQL's server out of the directory that NewMySQL made, wherever it is.
func MySQLCommand(root string) ([]string, error) {
	loaders, err := filepath.Glob(filepath.Join(root, "usr/lib*/ld-linux*.so.*"))
	if err != nil || len(loaders) == 0 {
		loaders, err = filepath.Glob(filepath.Join(root, "usr/lib/*/ld-linux*.so.*"))
	}
	if err != nil || len(loaders) == 0 {
		return nil, fmt.Errorf("MySQL in %s has no loader of libraries", root)
	}
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil || len(libraries) == 0 {
		return nil, fmt.Errorf("MySQL in %s has no libraries", root)
	}
	return []string{loaders[0], "--library-path", libraries[0], filepath.Join(root, "usr/sbin/mysqld"), "--no-defaults", "--user=root",
		"--basedir=" + filepath.Join(root, "usr"), "--secure-file-priv=NULL", "--innodb-redo-log-capacity=32M"}, nil
}
