package component

import (
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/spf13/cobra"
)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeAttributes completes what comes after register or update: names for update, flavors, the keys of the flavor's
// attributes, and their values where it is known what they may be.
func (n noun) completeAttributes(update bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		key, value, valued := strings.Cut(word, "=")
		before := ""
		if len(args) > 0 {
			before = args[len(args)-1]
		}
		switch {
		case !update && (before == "-f" || before == "--flavor"):
			return n.flavorNames(), noFiles
		case !update && valued && key == "--flavor":
			return prefixed("--flavor=", n.flavorNames()), noFiles
		case valued && strings.HasPrefix(key, "--"):
			return n.values(key, value)
		case strings.HasPrefix(word, "-"):
			return n.keys(args, update), noFiles | cobra.ShellCompDirectiveNoSpace
		case update && len(args) == 0:
			return n.names(), noFiles
		}
		return nil, noFiles
	}
}

// keys lists the attributes that can still be given.
func (n noun) keys(args []string, update bool) []string {
	name := n.flavorBefore(args)
	if update {
		name = n.flavorOfComponent(args)
	}
	var keys []string
	if !update && name == "" {
		keys = append(keys, "--flavor=\twhat implements it")
	}
	for _, f := range n.Catalogue.Kind(n.kind) {
		if f.Name != name {
			continue
		}
		for _, a := range f.Attributes {
			if !given(args, a) {
				keys = append(keys, "--"+a.Name+"=\t"+a.Meaning)
			}
		}
	}
	return keys
}

func given(args []string, a flavor.Attribute) bool {
	for _, arg := range args {
		key, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if strings.HasPrefix(arg, "--") && strings.ReplaceAll(key, "-", "_") == a.Name {
			return true
		}
	}
	return false
}

// flavorBefore finds the flavor among the arguments.
func (n noun) flavorBefore(args []string) string {
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--flavor="); ok {
			return name
		}
		if (arg == "--flavor" || arg == "-f") && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// flavorOfComponent finds the flavor of the component that is named, or of the active stack's.
func (n noun) flavorOfComponent(args []string) string {
	config, active, err := n.Load()
	if err != nil {
		return ""
	}
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = nil
	}
	name, err := n.named(config, active, args[:min(len(args), 1)])
	if err != nil {
		return ""
	}
	c, err := config.Component(n.kind, name)
	if err != nil {
		return ""
	}
	return c.Flavor
}

// values completes the value of an attribute. A path is left to the shell.
func (n noun) values(key, value string) ([]string, cobra.ShellCompDirective) {
	name := strings.ReplaceAll(strings.TrimPrefix(key, "--"), "-", "_")
	if name == "kubernetes_context" {
		contexts, _, err := n.Contexts()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return prefixed(key+"=", contexts), noFiles
	}
	for _, f := range n.Catalogue.Kind(n.kind) {
		for _, a := range f.Attributes {
			if a.Name == name && a.Type == flavor.Bool {
				return prefixed(key+"=", []string{"true", "false"}), noFiles
			}
		}
	}
	if strings.HasPrefix(value, "@") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, noFiles
}

func prefixed(prefix string, words []string) []string {
	var all []string
	for _, word := range words {
		all = append(all, prefix+word)
	}
	return all
}
