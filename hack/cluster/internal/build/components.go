package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/proa-ml/proa/hack/cluster/internal/oci"
)

// KubernetesVersion is the version that the components say they are; go.mod pins the same.
const KubernetesVersion = "v1.34.4"

// sourceKey returns the key of a Go module's sources with the compiler and flags that build it.
func sourceKey(source string) (string, error) {
	texts := []string{runtime.Version(), runtime.GOARCH, strings.Join(flags(), " ")}
	for _, pattern := range []string{"go.mod", "go.sum", "*.go", "*/*.go"} {
		paths, err := filepath.Glob(filepath.Join(source, pattern))
		if err != nil {
			return "", fmt.Errorf("looking for sources: %w", err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("reading the sources: %w", err)
			}
			texts = append(texts, strings.TrimPrefix(path, source), string(content))
		}
	}
	return Key(texts...), nil
}

func flags() []string {
	return []string{"-mod=readonly", "-buildvcs=false", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion}
}

// Components are the binaries of a Go module in a directory.
type Components struct {
	Dir     string
	Version string // digest of the binaries' contents, so that a change of a comment is no change of them
}

// Components builds the Go module at source.
func (c Cache) Components(ctx context.Context, source string) (Components, error) {
	return c.module(ctx, "components", source, "Kubernetes and the rest are compiled, for about six minutes on two cores", "components", "pause")
}

// module builds a Go module's commands, of which the first is in its root and the others in directories of their names.
func (c Cache) module(ctx context.Context, kind, source, how string, commands ...string) (Components, error) {
	key, err := sourceKey(source)
	if err != nil {
		return Components{}, err
	}
	dir, err := c.make(ctx, kind, key, how, func(ctx context.Context, dir string) error {
		args := append([]string{"build", "-o", dir + "/"}, append(flags(), ".")...)
		for _, name := range commands[1:] {
			args = append(args, "./"+name)
		}
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir = source
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		output, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("building the %s: %w\n%s", kind, err, output)
		}
		return writeVersion(dir, commands)
	})
	if err != nil {
		return Components{}, err
	}
	version, err := os.ReadFile(filepath.Join(dir, "version"))
	if err != nil {
		return Components{}, fmt.Errorf("reading the version of the %s: %w", kind, err)
	}
	return Components{Dir: dir, Version: string(version)}, nil
}

func writeVersion(dir string, commands []string) error {
	hash := sha256.New()
	for _, name := range commands {
		binary, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("reading the components: %w", err)
		}
		_, err = io.Copy(hash, binary)
		if err := errors.Join(err, binary.Close()); err != nil {
			return fmt.Errorf("reading the components: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "version"), fmt.Appendf(nil, "%x", hash.Sum(nil)[:8]), 0o600); err != nil {
		return fmt.Errorf("writing the version of the components: %w", err)
	}
	return nil
}

// Pause makes the image of a pod's sandbox.
func (c Cache) Pause(ctx context.Context, components Components) (string, error) {
	return c.make(ctx, "pause", components.Version, "packing", func(_ context.Context, dir string) error {
		root := filepath.Join(dir, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			return fmt.Errorf("making the sandbox image: %w", err)
		}
		if err := os.Link(filepath.Join(components.Dir, "pause"), filepath.Join(root, "pause")); err != nil {
			return fmt.Errorf("making the sandbox image: %w", err)
		}
		return oci.Write(dir, root, oci.Config{Entrypoint: []string{"/pause"}})
	})
}
