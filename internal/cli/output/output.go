// Package output prints a command's data: as a table for people, as JSON or YAML for programs, or as bare names for scripts.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
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
	cmd.Flags().VarP(format, "output", "o", "table, wide, json, yaml or name")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp))
}

// formats lists the values of the flag. A wide table is not cut to the terminal's width; name prints one name a line.
func formats() []string { return []string{"table", "wide", "json", "yaml", "name"} }

// ForPeople says that a person reads it, not a program.
func (f Format) ForPeople() bool { return f == "" || f == "table" || f == "wide" }

// String implements pflag.Value.
func (f *Format) String() string {
	if *f == "" {
		return "table"
	}
	return string(*f)
}

// Set implements pflag.Value.
func (f *Format) Set(text string) error {
	if !slices.Contains(formats(), text) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(formats(), ", "))
	}
	*f = Format(text)
	return nil
}

// Type implements pflag.Value.
func (f *Format) Type() string { return "format" }

// Table is what people read.
type Table struct {
	Header []string
	Rows   [][]string
	// Names are what the format name prints; nil means the first column.
	Names []string
	// styled is one with colours.
	styled bool
}

// names returns the names of what the table shows.
func (t Table) names() []string {
	if t.Names != nil {
		return t.Names
	}
	var names []string
	for _, row := range t.Rows {
		names = append(names, row[0])
	}
	return names
}

// Print prints value in the given format, or the table.
func Print(streams kit.Streams, format Format, value any, table Table) error {
	if streams.OutStyled {
		table = table.forTerminal()
	}
	return Show(streams, format, value, table.names(), table.Render)
}

// Show prints value in the given format, or its names, or what draw makes of it for people within so many columns; 0 means as
// many as it needs.
func Show(streams kit.Streams, format Format, value any, names []string, draw func(width int) string) error {
	switch format {
	case "json":
		return printJSON(streams.Out, value)
	case "yaml":
		return printYAML(streams.Out, value)
	case "name":
		return printNames(streams.Out, names)
	}
	width, height := 0, 0
	if streams.OutTerminal && streams.Size != nil {
		width, height = streams.Size()
	}
	if format == "wide" {
		width = 0
	}
	text := draw(width)
	if height > 0 && strings.Count(text, "\n") >= height && streams.Page != nil && streams.Page(text) {
		return nil
	}
	_, err := io.WriteString(streams.Out, text)
	return err
}

func printNames(w io.Writer, names []string) error {
	for _, name := range names {
		if _, err := fmt.Fprintln(w, name); err != nil {
			return err
		}
	}
	return nil
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

// Mark is what a column ACTIVE shows of the one that is; a terminal has a hand for it.
func Mark(active bool) string {
	if active {
		return "*"
	}
	return ""
}
