package runs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/report"
	"github.com/spf13/cobra"
)

func (n noun) reportCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "report RUN", Short: "Write a run as one HTML page", Args: kit.Args(1, 1), ValidArgsFunction: kit.CompleteAsking(n.latest),
		Long: "Write a run as one HTML page that needs nothing else, so it can be sent around or attached to a build: the graph, the\n" +
			"timeline (waiting, pulling, importing, running, uploading), failures with their cause, evidence and remedy, logs, and\n" +
			"previews of artifacts. It has no scripts and loads nothing. It is for light and dark, telephones, and paper.\n\n" +
			"With -o html, or nothing, the page goes to the standard output, or into a file named after the run if that is a terminal.",
		Example: "  proa runs report RUN -o run.html\n  proa runs report RUN -o html > run.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			data, name, err := n.report(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			switch {
			case (to == "html" || to == "-") && !n.OutTerminal:
				_, err := n.Out.Write(data)
				return err
			case to == "html" || to == "-":
				to = name + ".html"
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(n.Dir, to)
			}
			if err := os.WriteFile(to, data, 0o600); err != nil {
				return fault.New(fault.Usage, "name another file with -o", "writing the page: %w", err)
			}
			n.Statusf("Wrote %s.", to)
			return nil
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "html", "html, or the file to write")
	_ = cmd.MarkFlagFilename("output", "html")
	return cmd
}

// report returns the page of a run, and the run's name.
func (n noun) report(ctx context.Context, idOrName string) (data []byte, name string, err error) {
	stores, err := n.OpenStores(ctx)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	r, err := stores.Metadata.Run(ctx, idOrName)
	if errors.Is(err, driver.ErrNotFound) {
		return nil, "", kit.NoRun(err, idOrName, stores.Stack.Name)
	}
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	sources := report.Sources{Metadata: stores.Metadata, Artifacts: stores.Artifacts, Now: n.Now(), Version: n.Version}
	if err := report.Write(ctx, sources, r.ID, &out); err != nil {
		return nil, "", fault.With(fault.Infrastructure, "try again", err)
	}
	return out.Bytes(), r.Name, nil
}
