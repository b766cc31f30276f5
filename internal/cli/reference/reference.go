// Package reference writes the command line and the flavors down as Markdown, from the commands and the schemas themselves,
// so that the documentation can't say something else than the program.
package reference

import (
	"fmt"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// Commands returns a page for each command directly below root, and an index, by file name.
func Commands(root *cobra.Command) map[string]string {
	pages := map[string]string{}
	var index strings.Builder
	index.WriteString("# The command line\n\n" + generated + "\n\n| command | |\n| --- | --- |\n")
	for _, noun := range root.Commands() {
		if !noun.IsAvailableCommand() {
			continue
		}
		name := noun.Name() + ".md"
		var page strings.Builder
		fmt.Fprintf(&page, "# proa %s\n\n%s\n", noun.Name(), generated)
		command(&page, noun, 1)
		pages[name] = page.String()
		fmt.Fprintf(&index, "| [proa %s](%s) | %s |\n", noun.Name(), name, noun.Short)
	}
	pages["README.md"] = index.String()
	return pages
}

const generated = "<!-- written by `make golden` -->"

// command writes one command and those below it.
func command(page *strings.Builder, cmd *cobra.Command, depth int) {
	if depth > 1 {
		fmt.Fprintf(page, "\n%s %s\n", strings.Repeat("#", min(depth, 4)), cmd.CommandPath())
	}
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(page, "\n%s\n", text)
	} else {
		fmt.Fprintf(page, "\n```text\n%s\n```\n\n```shell\n%s\n```\n", text, cmd.UseLine())
	}
	if cmd.Example != "" {
		fmt.Fprintf(page, "\n```shell\n%s\n```\n", dedent(cmd.Example))
	}
	if flags := cmd.LocalFlags().FlagUsages(); flags != "" && !cmd.HasAvailableSubCommands() {
		fmt.Fprintf(page, "\n```text\n%s```\n", flags)
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			command(page, sub, depth+1)
		}
	}
}

func dedent(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(lines, "\n")
}

// Flavors returns a page for each kind of component, by file name.
func Flavors(catalogue flavor.Catalogue) map[string]string {
	pages := map[string]string{}
	for _, kind := range stack.Kinds() {
		var page strings.Builder
		fmt.Fprintf(&page, "# Flavors of %s\n\n%s\n", kind.Plural(), generated)
		if kind == stack.ArtifactStore || kind == stack.ContainerRegistry {
			page.WriteString("\n[Clouds](../clouds.md) tells which credentials are looked for, and what they have to be allowed.\n")
		}
		for _, f := range catalogue.Kind(kind) {
			fmt.Fprintf(&page, "\n## %s\n\n%s.\n", f.Name, strings.TrimSuffix(f.Meaning, "."))
			attributes(&page, f)
			fmt.Fprintf(&page, "\n```shell\n%s\n```\n", f.Registration())
		}
		pages[string(kind)+".md"] = page.String()
	}
	return pages
}

func attributes(page *strings.Builder, f flavor.Flavor) {
	if len(f.Attributes) == 0 {
		return
	}
	page.WriteString("\n| attribute | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n")
	for _, a := range f.Attributes {
		value := a.Default
		switch {
		case a.Required:
			value = "required"
		case value != "":
			value = "`" + value + "`"
		}
		kind := string(a.Type)
		if a.Secret {
			kind += ", secret"
		}
		example := a.Example
		if example != "" {
			example = "`" + example + "`"
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s | %s |\n", a.Name, kind, value, a.Meaning, example)
	}
}
