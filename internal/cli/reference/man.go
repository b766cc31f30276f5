package reference

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Man returns a man page for each command, by file name.
func Man(root *cobra.Command) map[string]string {
	pages := map[string]string{}
	addMan(pages, root)
	return pages
}

func addMan(pages map[string]string, cmd *cobra.Command) {
	pages[manName(cmd)+".1"] = manPage(cmd)
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			addMan(pages, sub)
		}
	}
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func manPage(cmd *cobra.Command) string {
	var page strings.Builder
	fmt.Fprintf(&page, ".TH %s 1 \"\" \"proa %s\" \"proa manual\"\n", quoted(strings.ToUpper(manName(cmd))), cmd.Root().Version)
	fmt.Fprintf(&page, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	use := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		use = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&page, ".SH SYNOPSIS\n%s\n", roff(use))
	if cmd.Long != "" {
		fmt.Fprintf(&page, ".SH DESCRIPTION\n%s", literal(cmd.Long))
	}
	manFlags(&page, cmd)
	if cmd.Example != "" {
		fmt.Fprintf(&page, ".SH EXAMPLES\n%s", literal(dedent(cmd.Example)))
	}
	manCommands(&page, cmd)
	if cmd.HasParent() {
		fmt.Fprintf(&page, ".SH SEE ALSO\n.BR %s (1)\n", roff(manName(cmd.Parent())))
	} else {
		page.WriteString(".SH EXIT STATUS\n0 all is well, 1 a step failed, 2 usage, 3 cancelled, 4 configuration or stack, 5 infrastructure\n")
	}
	return page.String()
}

func manFlags(page *strings.Builder, cmd *cobra.Command) {
	if cmd.HasAvailableSubCommands() || !cmd.HasAvailableLocalFlags() {
		return
	}
	page.WriteString(".SH OPTIONS\n")
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		names := "--" + f.Name
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + ", " + names
		}
		if kind := f.Value.Type(); kind != "bool" {
			names += "=" + strings.ToUpper(kind)
		}
		fmt.Fprintf(page, ".TP\n.B %s\n%s\n", roff(names), roff(f.Usage))
	})
}

func manCommands(page *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	page.WriteString(".SH COMMANDS\n")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(page, ".TP\n.BR %s (1)\n%s\n", roff(manName(sub)), roff(sub.Short))
		}
	}
}

// literal writes text line by line, as it stands.
func literal(text string) string {
	var b strings.Builder
	b.WriteString(".nf\n")
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		b.WriteString(roff(line) + "\n")
	}
	b.WriteString(".fi\n")
	return b.String()
}

// roff keeps text from being taken for instructions.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, "") + `"` }
