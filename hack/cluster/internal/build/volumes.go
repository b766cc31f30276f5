package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Volumes builds the server that provides volumes, out of the sources beside those of the components, and returns its directory.
func (c Cache) Volumes(ctx context.Context, components string) (string, error) {
	source := filepath.Dir(components)
	texts := []string{runtime.Version(), runtime.GOARCH}
	for _, pattern := range []string{"volumes/*.go", "internal/volumes/*.go", "internal/kube/*.go", "internal/pki/*.go"} {
		paths, err := filepath.Glob(filepath.Join(source, pattern))
		if err != nil {
			return "", fmt.Errorf("looking for sources: %w", err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("reading the sources: %w", err)
			}
			texts = append(texts, filepath.Base(path), string(content))
		}
	}
	return c.make(ctx, "volumes", Key(texts...), "it is compiled", func(ctx context.Context, dir string) error {
		command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dir, "volumes"), "./volumes")
		command.Dir = source
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("building the server of volumes: %w\n%s", err, output)
		}
		return nil
	})
}
