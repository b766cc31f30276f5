package runs

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/spf13/cobra"
)

func (n noun) logsCommand() *cobra.Command {
	return &cobra.Command{
		Example: "  proa runs logs RUN\n  proa runs logs RUN trainer",
		Use:     "logs RUN [STEP]",
		Short:   "Print what a step wrote, or what all steps did, each line with its step's name",
		Long: "Print what a step wrote, byte by byte; or, without a step, what all steps wrote, one after the other, each line " +
			"with its step's name before it.\nWhile a step runs, its log is what it wrote until a few seconds ago.",
		Args: kit.Args(1, 2), ValidArgsFunction: n.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			stores, err := n.OpenStores(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.Close()) }()
			r, err := inspect.Read(ctx, stores.Metadata, args[0])
			if err != nil {
				return kit.NoRun(err, args[0], stores.Stack.Name)
			}
			if len(args) == 2 {
				err := copyStep(ctx, stores, r, args[1], n.Out)
				if errors.Is(err, driver.ErrNotFound) {
					return fault.New(fault.Usage, "`proa runs show "+r.Name+"` lists its steps", "the run %s has no step %q", r.Name, args[1])
				}
				return err
			}
			for _, s := range r.Steps {
				w := &prefixer{to: n.Out, prefix: []byte(s.Name + " | "), start: true}
				if err := copyStep(ctx, stores, r, s.Name, w); err != nil {
					return err
				}
				if err := w.end(); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func copyStep(ctx context.Context, stores kit.Stores, r inspect.Run, step string, w io.Writer) error {
	attempt, err := inspect.LogOf(ctx, stores.Metadata, r.ID, step)
	if err != nil {
		return err
	}
	return inspect.CopyLog(ctx, stores.Artifacts, attempt, w)
}

// prefixer writes a prefix before every line.
type prefixer struct {
	to     io.Writer
	prefix []byte
	start  bool
}

func (p *prefixer) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		if p.start {
			if _, err := p.to.Write(p.prefix); err != nil {
				return 0, err
			}
		}
		end := bytes.IndexByte(rest, '\n') + 1
		p.start = end > 0
		if end == 0 {
			end = len(rest)
		}
		if _, err := p.to.Write(rest[:end]); err != nil {
			return 0, err
		}
		rest = rest[end:]
	}
	return len(data), nil
}

// end ends a last line that has no end.
func (p *prefixer) end() error {
	if p.start {
		return nil
	}
	_, err := p.to.Write([]byte{'\n'})
	return err
}
