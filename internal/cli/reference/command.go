package reference

import (
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/spf13/cobra"
)

// NewMan makes `proa man`, which packagers call.
func NewMan(k *kit.Kit) *cobra.Command {
	return &cobra.Command{
		Example: "  proa man /usr/local/share/man/man1",
		Use:     "man DIR", Short: "Write a man page for each command into a folder", Args: kit.Args(1, 1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(k.Dir, dir)
			}
			pages := Man(cmd.Root())
			err := os.MkdirAll(dir, 0o755)
			for name, page := range pages {
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, name), []byte(page), 0o644)
				}
			}
			if err != nil {
				return fault.New(fault.Configuration, "name a folder that you may write to", "writing the man pages: %w", err)
			}
			k.Statusf("Wrote %d man pages to %s.", len(pages), dir)
			return nil
		},
	}
}
