package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Emulators builds the Go module at source, which stands in for Google Cloud Storage.
func (c Cache) Emulators(ctx context.Context, source string) (Components, error) {
	return c.module(ctx, "emulators", source, "the storage emulator is compiled, for about a minute on two cores", "emulators")
}

// Azurite installs what stands in for Azure Blob Storage, from npm, as source pins it, and returns the path of its program.
func (c Cache) Azurite(ctx context.Context, source string) (string, error) {
	var texts []string
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", fmt.Errorf("reading which Azurite to install: %w", err)
		}
		texts = append(texts, string(content))
	}
	dir, err := c.make(ctx, "azurite", Key(texts...), "packages are downloaded from npm", func(ctx context.Context, dir string) error {
		for i, name := range []string{"package.json", "package-lock.json"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(texts[i]), 0o600); err != nil {
				return fmt.Errorf("installing Azurite: %w", err)
			}
		}
		command := exec.CommandContext(ctx, "npm", "ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("installing Azurite: %w\n%s", err, output)
		}
		return nil
	})
	return filepath.Join(dir, "node_modules", "azurite", "dist", "src", "blob", "main.js"), err
}
