package stacks

import (
	"errors"

	"github.com/spf13/cobra"
)

// absent is a flag for a kind of component that other systems have and that is no part of a stack here.
type absent string

// Set implements pflag.Value.
func (a absent) Set(string) error {
	return errors.New(string(a) + " is no part of a stack here: leave it away, and call the library in a step")
}

// String implements pflag.Value.
func (a absent) String() string { return "" }

// Type implements pflag.Value.
func (a absent) Type() string { return "string" }

// addAbsent answers whoever types such a flag.
func addAbsent(cmd *cobra.Command) {
	for _, f := range []struct{ name, short, words string }{
		{"step-operator", "s", "a step operator"}, {"feature-store", "f", "a feature store"}, {"model-deployer", "d", "a model deployer"},
		{"experiment-tracker", "e", "an experiment tracker"}, {"alerter", "", "an alerter"}, {"annotator", "", "an annotator"},
		{"data-validator", "", "a data validator"},
	} {
		cmd.Flags().VarP(absent(f.words), f.name, f.short, "")
		_ = cmd.Flags().MarkHidden(f.name)
	}
}
