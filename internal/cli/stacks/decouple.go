package stacks

import (
	"context"

	"github.com/spf13/cobra"
)

// addDecouple adds the flag that lets a stack's stores leave those that they were used with before.
func addDecouple(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("decouple-stores", false, "let the artifact store and the metadata store leave those that they were used with before, and belong together from the next run on")
}

// decouple opens a stack's stores and takes them from their partners.
func (n noun) decouple(ctx context.Context, name string) error {
	config, err := n.Files.Load()
	if err != nil {
		return err
	}
	resolved, err := config.Resolve(name)
	if err != nil {
		return err
	}
	if err := n.Decouple(ctx, resolved); err != nil {
		return err
	}
	n.Statusf("The stores of stack '%s' belong to no others any more.", name)
	return nil
}

// decoupleOnly does that and nothing else, so it is also for the built-in stack, which can't be changed.
func (n noun) decoupleOnly(ctx context.Context, args []string) error {
	config, err := n.Files.Load()
	if err != nil {
		return err
	}
	s, err := n.find(config, args)
	if err != nil {
		return err
	}
	return n.decouple(ctx, s.Name)
}
