package runs

import (
	"context"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/spf13/cobra"
)

// drawing says how a run's graph is shown instead of the table of its steps.
type drawing struct {
	graph    string
	timeline bool
}

func (d *drawing) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.graph, "graph", "", "draw the graph of the steps: text, mermaid, dot or svg")
	cmd.Flags().Lookup("graph").NoOptDefVal = "text"
	_ = cmd.RegisterFlagCompletionFunc("graph", cobra.FixedCompletions([]string{"text", "mermaid", "dot", "svg"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVar(&d.timeline, "timeline", false, "draw when each step waited, pulled its image, imported, ran and uploaded")
}

func (d *drawing) wanted() bool { return d.graph != "" || d.timeline }

// draw prints the drawings that are wanted.
func (n noun) draw(ctx context.Context, d drawing, run string) (err error) {
	stores, err := n.OpenMetadata(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	g, err := inspect.ReadGraph(ctx, stores.Metadata, run)
	if err != nil {
		return kit.NoRun(err, run, stores.Stack.Name)
	}
	text := ""
	switch d.graph {
	case "":
	case "text":
		text = g.Text()
	case "mermaid":
		text = g.Mermaid()
	case "dot":
		text = g.DOT()
	case "svg":
		text = g.SVG()
	default:
		return fault.New(fault.Usage, "write --graph, --graph=mermaid, --graph=dot or --graph=svg", "%q is no way to draw a graph", d.graph)
	}
	if d.timeline {
		width := 80
		if n.OutTerminal && n.Size != nil {
			width, _ = n.Size()
		}
		tries, err := inspect.ReadTries(ctx, stores.Metadata, g.Run, n.Now())
		if err != nil {
			return err
		}
		g.AddTries(tries)
		text += g.Timeline(width, n.Now()) + inspect.Legend() + "\n"
	}
	_, err = fmt.Fprint(n.Out, text)
	return err
}
