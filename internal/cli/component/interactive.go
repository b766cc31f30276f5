package component

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/stack"
)

// askFor completes a component by asking for its flavor and for each attribute that isn't given, in the schema's order.
func (n noun) askFor(ctx context.Context, c *stack.Component) error {
	if !n.InTerminal {
		return n.noTerminal(*c)
	}
	config, err := n.Files.Load()
	if err != nil {
		return err
	}
	if err := config.AddComponent(*c); err != nil { // only to know before the questions whether the name will do
		return err
	}
	f, err := n.askFlavor(ctx, c)
	if err != nil {
		return err
	}
	given, err := f.Names(c.Attributes)
	if err != nil {
		return err
	}
	for _, a := range f.Attributes {
		if slices.Contains(given, a.Name) {
			continue
		}
		value, err := n.askAttribute(ctx, f, a)
		if err != nil {
			return err
		}
		if value != "" {
			c.Attributes[a.Name] = value
		}
	}
	return nil
}

// noTerminal names the flags that stand for the questions.
func (n noun) noTerminal(c stack.Component) error {
	hint := "give --flavor and its attributes instead"
	if f, err := n.Catalogue.Find(c.Kind, c.Flavor); err == nil {
		hint = fmt.Sprintf("give the attributes instead: `%s`", strings.Replace(f.Registration(), " NAME", " "+c.Name, 1))
	}
	return fault.New(fault.Usage, hint, "--interactive asks questions, and there is no terminal to ask on")
}

func (n noun) askFlavor(ctx context.Context, c *stack.Component) (flavor.Flavor, error) {
	known := n.flavorNames()
	for c.Flavor == "" {
		answer, err := n.Ask(ctx, fmt.Sprintf("Flavor (%s)%s:", strings.Join(known, ", "), orDefault(known[0], len(known) == 1)))
		if err != nil {
			return flavor.Flavor{}, err
		}
		if answer = strings.TrimSpace(answer); answer == "" && len(known) == 1 {
			answer = known[0]
		}
		if _, err := n.Catalogue.Find(n.kind, answer); err != nil {
			n.again(err)
			continue
		}
		c.Flavor = answer
	}
	return n.Catalogue.Find(n.kind, c.Flavor)
}

func orDefault(value string, ok bool) string {
	if ok {
		return " [" + value + "]"
	}
	return ""
}

// askAttribute asks until the answer will do. An empty answer leaves the attribute away.
func (n noun) askAttribute(ctx context.Context, f flavor.Flavor, a flavor.Attribute) (string, error) {
	question, ask := a.Name+": "+a.Meaning, n.Ask
	switch {
	case a.Secret:
		question, ask = question+" (not shown; @FILE reads a file)", n.AskSecret
	case a.Default == "" && a.Example != "":
		question += " (such as " + a.Example + ")"
	}
	switch {
	case a.Required:
		question += ", required:"
	case a.Default != "":
		question += " [" + a.Default + "]:"
	default:
		question += ", or nothing:"
	}
	for {
		answer, err := ask(ctx, question)
		if err != nil {
			return "", err
		}
		given := map[string]string{a.Name: answer}
		if err := n.Expand(given); err != nil {
			n.again(err)
			continue
		}
		if given[a.Name] == "" && !a.Required {
			return "", nil
		}
		if _, err := f.Normalize(given); err != nil {
			n.again(err)
			continue
		}
		return given[a.Name], nil
	}
}

// again tells why a question is asked again.
func (n noun) again(err error) {
	n.Statusf("  %v", err)
	if hint := fault.HintOf(err); hint != "" {
		n.Statusf("  -> %s", hint)
	}
}
