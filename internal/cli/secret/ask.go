package secret

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/stack"
)

// askNew asks for keys and their values, until a key is empty.
func (n noun) askNew(ctx context.Context, name string, values map[string]string) error {
	if err := n.needTerminal(name); err != nil {
		return err
	}
	for {
		key, err := n.Ask(ctx, "Key (nothing ends it):")
		if err != nil {
			return err
		}
		if key = strings.TrimSpace(key); key == "" {
			return nil
		}
		if err := stack.CheckSecretKey(key); err != nil {
			n.Statusf("  %v", err)
			continue
		}
		if values[key], err = n.askValue(ctx, key, ""); err != nil {
			return err
		}
	}
}

// askChanges asks for the value of each key that a secret has.
func (n noun) askChanges(ctx context.Context, name string, present, values map[string]string) error {
	if err := n.needTerminal(name); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(present)) {
		if _, given := values[key]; given {
			continue
		}
		value, err := n.askValue(ctx, key, "; nothing keeps the present one")
		if err != nil {
			return err
		}
		if value != "" {
			values[key] = value
		}
	}
	return nil
}

func (n noun) askValue(ctx context.Context, key, note string) (string, error) {
	answer, err := n.AskSecret(ctx, fmt.Sprintf("Value of %s (not shown; @FILE reads a file%s):", key, note))
	if err != nil {
		return "", err
	}
	expanded := map[string]string{key: answer}
	err = n.Expand(expanded)
	return expanded[key], err
}

func (n noun) needTerminal(name string) error {
	if n.InTerminal {
		return nil
	}
	return fault.New(fault.Usage, fmt.Sprintf("give the values instead: `proa secret create %s --KEY=@-`", name),
		"--interactive asks questions, and there is no terminal to ask on")
}
