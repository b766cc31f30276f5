package stacks

import (
	"github.com/proa-ml/proa/internal/cli/absent"
	"github.com/spf13/cobra"
)

// addAbsent answers whoever names a kind of component that other systems have. give is [absent.Flag], or [absent.Switch]
// where the kind alone is named.
func addAbsent(cmd *cobra.Command, give func(cmd *cobra.Command, name, short, why string)) {
	for _, f := range []struct{ name, short, words string }{
		{"step-operator", "s", "a step operator"}, {"feature-store", "f", "a feature store"}, {"model-deployer", "d", "a model deployer"},
		{"experiment-tracker", "e", "an experiment tracker"}, {"alerter", "al", "an alerter"}, {"annotator", "an", "an annotator"},
		{"data-validator", "dv", "a data validator"},
	} {
		give(cmd, f.name, f.short, f.words+" is no part of a stack here: leave it away, and call the library in a step")
	}
}

// newRecipe answers who deploys stacks with Terraform.
func newRecipe() *cobra.Command {
	return absent.Command("recipe", "proa deploys no clouds: make the cluster, the bucket and the database with tools of your own, then register them (`proa stack register --help`)")
}

// newShare answers who shares stacks on a server.
func newShare() *cobra.Command {
	return absent.Command("share", "proa has no server: `proa stack export NAME` writes a file to pass on, `proa stack import FILE` reads it")
}
