package component

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) registerCommand() *cobra.Command {
	var given registration
	cmd := &cobra.Command{
		Example:            n.registerExample(),
		Use:                "register NAME --flavor FLAVOR [--key=value ...]",
		Short:              fmt.Sprintf("Register %s", n.kind.Article()),
		Long:               n.attributeHelp(fmt.Sprintf("Register %s under a name.", n.kind.Article())),
		DisableFlagParsing: true,
		ValidArgsFunction:  n.completeAttributes(false),
	}
	cmd.Flags().StringVarP(&given.flavor, "flavor", "f", "", "what implements it")
	cmd.Flags().StringVarP(&given.oldFlavor, "type", "t", "", "what --flavor was called once")
	cmd.Flags().BoolVarP(&given.interactive, "interactive", "i", false, "ask for what isn't given")
	_ = cmd.Flags().MarkHidden("type")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		positional, attributes, done, err := kit.ParseAttributes(cmd, args)
		if err != nil || done {
			return err
		}
		if err := kit.Args(1, 1)(cmd, positional); err != nil {
			return err
		}
		if err := n.Expand(attributes); err != nil {
			return err
		}
		c := stack.Component{Kind: n.kind, Name: positional[0], Attributes: attributes}
		if c.Flavor, err = n.flavorOf(given); err != nil {
			return err
		}
		if given.interactive {
			if err := n.askFor(cmd.Context(), &c); err != nil {
				return err
			}
		}
		return n.register(cmd.Context(), c)
	}
	return cmd
}

// registration is what the flags of register say.
type registration struct {
	flavor, oldFlavor string
	interactive       bool
}

// flavorOf returns the flavor, also if it was given in the old spelling.
func (n noun) flavorOf(given registration) (string, error) {
	switch {
	case given.oldFlavor == "":
		return given.flavor, nil
	case given.flavor != "" && given.flavor != given.oldFlavor:
		return "", fault.New(fault.Usage, "leave --type away", "--flavor and --type are two spellings of one flag, and they differ")
	}
	n.Warn(fmt.Sprintf("--type is an old spelling: write --flavor=%s", given.oldFlavor))
	return given.oldFlavor, nil
}

func (n noun) registerExample() string {
	var lines []string
	for _, f := range n.Catalogue.Kind(n.kind) {
		lines = append(lines, "  "+f.Registration())
	}
	return strings.Join(lines, "\n")
}

func (n noun) register(ctx context.Context, c stack.Component) error {
	f, err := n.Catalogue.Find(c.Kind, c.Flavor)
	if err != nil {
		return err
	}
	if _, err := f.Settings(c.Attributes); err != nil {
		return err
	}
	if c.Attributes, err = f.Normalize(c.Attributes); err != nil {
		return err
	}
	if err := n.verify(c); err != nil {
		return err
	}
	if err := n.Files.Update(func(config *stack.Config) error { return config.AddComponent(c) }); err != nil {
		return err
	}
	n.WarnOfSecretsOf(ctx, c)
	n.Statusf("%s '%s' successfully registered!", n.title(), c.Name)
	return nil
}

// verify looks at the world on this machine, such as the kubeconfig.
func (n noun) verify(c stack.Component) error {
	warnings, err := n.Catalogue.Verify(c)
	for _, w := range warnings {
		n.Warn(w)
	}
	return err
}

func (n noun) updateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Example:            fmt.Sprintf("  proa %s update NAME --key=value\n  proa %[1]s update NAME --key=", n.kind),
		Use:                "update [NAME] --key=value ...",
		Short:              fmt.Sprintf("Change attributes of %s", n.kind.Article()),
		Long:               n.attributeHelp(fmt.Sprintf("Change attributes of %s; the active stack's if no name is given. An empty value (--key=) takes the attribute away.", n.kind.Article())),
		DisableFlagParsing: true,
		ValidArgsFunction:  n.completeAttributes(true),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		positional, attributes, done, err := kit.ParseAttributes(cmd, args)
		if err != nil || done {
			return err
		}
		if err := kit.Args(0, 1)(cmd, positional); err != nil {
			return err
		}
		if err := n.changeable(attributes); err != nil {
			return err
		}
		if err := n.Expand(attributes); err != nil {
			return err
		}
		return n.update(cmd.Context(), positional, attributes)
	}
	return cmd
}

// changeable refuses to change what makes a component the one that it is.
func (n noun) changeable(attributes map[string]string) error {
	hints := map[string]string{
		"name":   fmt.Sprintf("`proa %s rename OLD NEW` does it", n.kind),
		"uuid":   "components have no uuid",
		"flavor": fmt.Sprintf("register another one: `proa %s register NAME --flavor=FLAVOR`", n.kind),
	}
	for _, name := range []string{"name", "uuid", "flavor"} {
		if _, given := attributes[name]; given {
			return stack.Mistake(hints[name], "the %s of %s can't be updated", name, n.kind.Article())
		}
	}
	if len(attributes) == 0 {
		return fault.New(fault.Usage, fmt.Sprintf("such as `proa %s update NAME --key=value`; `proa %[1]s flavor list` shows the keys", n.kind), "say what to update")
	}
	return nil
}

func (n noun) update(ctx context.Context, args []string, changes map[string]string) error {
	var updated stack.Component
	err := n.Files.Update(func(config *stack.Config) error {
		active, err := n.Active(config)
		if err != nil {
			return err
		}
		name, err := n.named(config, active, args)
		if err != nil {
			return err
		}
		c, err := config.Component(n.kind, name)
		if err != nil {
			return err
		}
		if c.Attributes, err = n.changed(c, changes); err != nil {
			return err
		}
		if err := n.verify(c); err != nil {
			return err
		}
		updated = c
		return config.UpdateComponent(c)
	})
	if err != nil {
		return err
	}
	n.WarnOfSecretsOf(ctx, updated)
	n.Statusf("%s '%s' successfully updated!", n.title(), updated.Name)
	return nil
}

// changed returns a component's attributes with changes applied and checked.
func (n noun) changed(c stack.Component, changes map[string]string) (map[string]string, error) {
	f, err := n.Catalogue.Find(c.Kind, c.Flavor)
	if err != nil {
		return nil, err
	}
	set, removed := map[string]string{}, map[string]string{}
	attributes := maps.Clone(c.Attributes)
	if attributes == nil {
		attributes = map[string]string{}
	}
	for key, value := range changes {
		switch _, present := attributes[key]; {
		case value != "":
			set[key] = value
		case present: // also one that the flavor doesn't know: somebody has edited the file
			delete(attributes, key)
		default:
			removed[key] = value
		}
	}
	if set, err = f.Normalize(set); err != nil {
		return nil, err
	}
	names, err := f.Names(removed)
	if err != nil {
		return nil, err
	}
	maps.Copy(attributes, set)
	for _, name := range names {
		delete(attributes, name)
	}
	_, err = f.Settings(attributes)
	return attributes, err
}

// title is the kind at the beginning of a sentence.
func (n noun) title() string {
	words := n.kind.Words()
	return strings.ToUpper(words[:1]) + words[1:]
}

// attributeHelp lists the attributes of every flavor of the kind.
func (n noun) attributeHelp(first string) string {
	var b strings.Builder
	b.WriteString(first + "\n\nA value @PATH is read from a file, @- from the standard input.\n")
	for _, f := range n.Catalogue.Kind(n.kind) {
		fmt.Fprintf(&b, "\nFlavor %s: %s\n", f.Name, f.Meaning)
		for _, a := range f.Attributes {
			note := ""
			switch {
			case a.Required:
				note = " (required)"
			case a.Default != "":
				note = fmt.Sprintf(" (default %s)", a.Default)
			}
			fmt.Fprintf(&b, "  --%-24s %s%s\n", a.Name, a.Meaning, note)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
