// Package output prints a command's data: as a table for people, or as JSON or YAML for programs.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// Format is the value of the flag --output.
type Format string

// AddFlag gives a command the flag --output.
func AddFlag(cmd *cobra.Command, format *Format) {
	cmd.Flags().VarP(format, "output", "o", "table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (f *Format) String() string {
	if *f == "" {
		return "table"
	}
	return string(*f)
}

// Set implements pflag.Value.
func (f *Format) Set(text string) error {
	switch text {
	case "table", "json", "yaml":
		*f = Format(text)
		return nil
	}
	return fmt.Errorf("%q is none of table, json, yaml", text)
}

// Type implements pflag.Value.
func (f *Format) Type() string { return "format" }

// Table is what people read.
type Table struct {
	Header []string
	Rows   [][]string
}

// Print prints value in the given format, or the table.
func Print(streams kit.Streams, format Format, value any, table Table) error {
	switch format {
	case "json":
		return printJSON(streams.Out, value)
	case "yaml":
		return printYAML(streams.Out, value)
	}
	width := 0
	if streams.OutTerminal && streams.Size != nil {
		width, _ = streams.Size()
	}
	_, err := io.WriteString(streams.Out, table.Render(width))
	return err
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// printYAML goes through JSON, so that both formats have the same keys.
func printYAML(w io.Writer, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fault.New(fault.Infrastructure, "", "encoding the answer: %w", err)
	}
	var plain yaml.Node
	if err := yaml.Unmarshal(data, &plain); err != nil {
		return fault.New(fault.Infrastructure, "", "encoding the answer: %w", err)
	}
	blockStyle(&plain)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&plain); err != nil {
		return err
	}
	return encoder.Close()
}

func blockStyle(node *yaml.Node) {
	node.Style &^= yaml.FlowStyle
	switch strings.ToLower(node.Value) {
	case "y", "n", "yes", "no", "on", "off": // readers of the old YAML take them for booleans
	default:
		node.Style &^= yaml.DoubleQuotedStyle
	}
	if len(node.Content) == 0 && node.Kind != yaml.ScalarNode {
		node.Style |= yaml.FlowStyle
	}
	for _, child := range node.Content {
		blockStyle(child)
	}
}
