package component

import (
	"fmt"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) flavorCommand() *cobra.Command {
	return kit.Group("flavor", "Show what can implement "+n.kind.Article(), n.flavorListCommand(), n.flavorDescribeCommand(), n.flavorRegisterCommand())
}

func (n noun) flavorListCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "list", Short: "List the flavors and their attributes", Args: kit.Args(0, 0),
		Example: fmt.Sprintf("  proa %s flavor list", n.kind),
		RunE: func(*cobra.Command, []string) error {
			flavors := n.Catalogue.Kind(n.kind)
			table := output.Table{Header: []string{"FLAVOR", "MEANING", "ATTRIBUTES"}}
			for _, f := range flavors {
				table.Rows = append(table.Rows, []string{f.Name, f.Meaning, strings.Join(f.AttributeNames(), " ")})
			}
			return output.Print(n.Streams, format, flavors, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) flavorDescribeCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "describe FLAVOR", Short: "Show each attribute of a flavor: type, default, meaning and an example", Args: kit.Args(1, 1),
		Example:           fmt.Sprintf("  proa %s flavor describe %s", n.kind, n.Catalogue.Kind(n.kind)[0].Name),
		ValidArgsFunction: kit.Complete(n.flavorNames),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := n.Catalogue.Find(n.kind, args[0])
			if err != nil {
				return err
			}
			table := output.Table{Header: []string{"ATTRIBUTE", "TYPE", "DEFAULT", "MEANING", "EXAMPLE"}}
			for _, a := range f.Attributes {
				table.Rows = append(table.Rows, []string{a.Name, string(a.Type), defaultOf(a), a.Meaning, a.Example})
			}
			return output.Print(n.Streams, format, f, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

// flavorRegisterCommand answers who knows flavors as plug-ins that are loaded at run time.
func (n noun) flavorRegisterCommand() *cobra.Command {
	return &cobra.Command{
		Use: "register SOURCE", Short: "Say how flavors are added", Hidden: true, Args: cobra.ArbitraryArgs,
		Example: fmt.Sprintf("  proa %s flavor register SOURCE", n.kind),
		RunE: func(*cobra.Command, []string) error {
			return fault.New(fault.Usage, "docs/extending.md shows how: a main of a few lines", "flavors are built into the program, and not registered")
		},
	}
}

func (n noun) flavorNames() []string {
	var names []string
	for _, f := range n.Catalogue.Kind(n.kind) {
		names = append(names, f.Name)
	}
	return names
}

func defaultOf(a flavor.Attribute) string {
	switch {
	case a.Required:
		return "(required)"
	case a.Secret:
		return "(secret)"
	}
	return a.Default
}

// explanation says what a kind of component is for.
func explanation(kind stack.Kind) string {
	switch kind {
	case stack.Orchestrator:
		return "An orchestrator runs the steps of a pipeline somewhere: as processes of this machine, or as pods of a Kubernetes cluster."
	case stack.ArtifactStore:
		return "An artifact store keeps the bytes: what steps return, their logs and their outcomes, addressed by their content."
	case stack.MetadataStore:
		return "A metadata store keeps the facts: runs, steps, what came from which inputs, and which results can be used again."
	case stack.ContainerRegistry:
		return "A container registry keeps the images that steps run in. It is needed where steps run in containers."
	case stack.ImageBuilder:
		return "An image builder makes the images that steps run in out of a base image, requirements and your code."
	case stack.SecretsManager:
		return "A secrets manager keeps credentials: attributes of components refer to them as {{name.key}}, and steps ask for them by name."
	}
	return ""
}

func (n noun) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain", Short: fmt.Sprintf("Say what %s is, and which flavors there are", n.kind.Article()), Args: kit.Args(0, 0),
		Example: fmt.Sprintf("  proa %s explain", n.kind),
		RunE: func(*cobra.Command, []string) error {
			var b strings.Builder
			b.WriteString(explanation(n.kind) + "\n\nFlavors:\n")
			for _, f := range n.Catalogue.Kind(n.kind) {
				fmt.Fprintf(&b, "  %-12s %s\n", f.Name, f.Meaning)
			}
			fmt.Fprintf(&b, "\n`proa %s flavor describe FLAVOR` shows a flavor's attributes; `proa %[1]s register NAME --flavor=FLAVOR --key=value` registers one.\n", n.kind)
			_, err := fmt.Fprint(n.Out, b.String())
			return err
		},
	}
}
