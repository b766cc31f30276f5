// Package absent answers the commands that users of other systems type and that have no meaning here: one line says why, and
// what to type instead.
package absent

import (
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/spf13/cobra"
)

// word is a command without a meaning.
type word struct{ name, why string }

func words() []word {
	const (
		noServer = "proa has no server: every command works on the active stack itself (`proa stack describe`)"
		noUsers  = "proa has no users of its own: who may do what is the business of the cluster, the bucket and the database"
		noKind   = "is no part of a stack here: call the library in a step (`proa integration list`)"
	)
	return []word{
		{"alerter", "an alerter " + noKind},
		{"analytics", "proa collects nothing about its use: there is nothing to opt out of"},
		{"annotator", "an annotator " + noKind},
		{"authorized-device", noServer},
		{"code-repository", "the code of a run is in its image: `proa init` marks its root"},
		{"connect", noServer + "; `proa stack set NAME` chooses another"},
		{"data-validator", "a data validator " + noKind},
		{"disconnect", noServer + "; `proa stack set default` goes back to this machine"},
		{"down", "name what to stop: `proa stack down`"},
		{"downgrade", "install another version of proa with pip; the database is brought up to date when it is opened"},
		{"experiment-tracker", "an experiment tracker " + noKind},
		{"feature-store", "a feature store " + noKind},
		{"go", "proa opens no tutorial: `proa example list` shows the examples, `proa example pull NAME` copies one"},
		{"hub", "proa has no hub: install Python packages with pip"},
		{"logging", "proa has no level of logging: progress goes to stderr, `proa runs logs RUN` prints what steps wrote"},
		{"login", noServer},
		{"logout", noServer},
		{"model", "proa keeps artifacts: `proa artifact list`"},
		{"model-deployer", "a model deployer " + noKind},
		{"permission", noUsers},
		{"project", "proa has no projects: `proa profile create NAME` makes a set of stacks of its own"},
		{"role", noUsers + "; `proa orchestrator permissions` prints what a cluster has to grant"},
		{"server", noServer},
		{"service-account", noUsers + "; `proa orchestrator permissions` prints what a cluster has to grant"},
		{"service-connector", "credentials are attributes of components: `proa artifact-store explain`"},
		{"show", "proa has no dashboard: `proa runs list` and `proa runs show RUN --graph --timeline`"},
		{"status", noServer + "; `proa doctor` says whether all is well"},
		{"step-operator", "a step operator is no part of a stack here: a step's pod has resources and settings of its own"},
		{"team", noUsers},
		{"up", "name what to start: `proa stack up`"},
		{"upgrade", "install another version of proa with pip; the database is brought up to date when it is opened"},
		{"user", noUsers},
		{"web-login", noServer},
		{"workspace", "proa has no workspaces: `proa profile create NAME` makes a set of stacks of its own"},
	}
}

// New makes the commands. They are hidden, take anything, and fail as a mistyped command does.
func New() []*cobra.Command {
	var all []*cobra.Command
	for _, w := range words() {
		all = append(all, Command(w.name, w.why))
	}
	return all
}

// Command makes one of them.
func Command(name, why string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: why, Hidden: true, DisableFlagParsing: true, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fault.New(fault.Usage, "", "`%s` has no meaning here: %s", cmd.CommandPath(), why)
		},
	}
}
