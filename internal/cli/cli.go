// Package cli is the command line of proa: it puts the commands together, runs one and turns its error into words and an
// exit code. Each noun has a package of its own below.
package cli

import (
	"context"
	"strings"

	"github.com/proa-ml/proa/internal/cli/absent"
	"github.com/proa-ml/proa/internal/cli/artifacts"
	"github.com/proa-ml/proa/internal/cli/component"
	"github.com/proa-ml/proa/internal/cli/examples"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/images"
	"github.com/proa-ml/proa/internal/cli/integrations"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/launch"
	"github.com/proa-ml/proa/internal/cli/pipelines"
	"github.com/proa-ml/proa/internal/cli/profiles"
	"github.com/proa-ml/proa/internal/cli/reference"
	"github.com/proa-ml/proa/internal/cli/runs"
	"github.com/proa-ml/proa/internal/cli/schedules"
	"github.com/proa-ml/proa/internal/cli/secret"
	"github.com/proa-ml/proa/internal/cli/setup"
	"github.com/proa-ml/proa/internal/cli/stacks"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Version is the version of this build, set by the linker.
var Version = "0.0.0-dev"

// Main runs the command that args name and returns the exit code.
func Main(ctx context.Context, k *kit.Kit, args []string) int {
	ctx, stop := k.EndAtInterrupt(ctx)
	defer stop()
	root := newRoot(k)
	root.SetArgs(kit.SpellOut(root, args))
	err := root.ExecuteContext(ctx)
	if err != nil && !fault.Told(err) {
		k.Fail(err)
	}
	return int(fault.CodeOf(err))
}

// Tree returns the commands, for what looks at them and runs none.
func Tree(k *kit.Kit) *cobra.Command { return newRoot(k) }

// Reference returns the documentation of the command line and of the flavors, by path below docs.
func Reference(k *kit.Kit) map[string]string {
	pages := map[string]string{}
	for name, page := range reference.Commands(newRoot(k)) {
		pages["cli/"+name] = page
	}
	for name, page := range reference.Flavors(k.Catalogue) {
		pages["flavors/"+name] = page
	}
	return pages
}

func newRoot(k *kit.Kit) *cobra.Command {
	root := kit.Group("proa", "Run machine-learning pipelines on Kubernetes, with nothing installed in the cluster")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = k.Version
	root.SetVersionTemplate("proa {{.Version}}\n")
	root.SetIn(k.In)
	root.SetOut(k.Out)
	root.SetErr(k.Err)
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return flagError(cmd, err)
	})
	root.AddCommand(setup.NewInit(k), setup.NewVersion(k), setup.NewConfig(k), setup.NewDoctor(k), setup.NewClean(k), profiles.New(k), integrations.New(k), stacks.New(k),
		launch.NewRun(k), launch.NewSpec(k), launch.NewPlan(k), launch.NewCoordinate(k), runs.New(k), runs.NewLogs(k), schedules.New(k), pipelines.New(k), examples.New(k), artifacts.New(k))
	root.AddCommand(secret.New(k), images.New(k))
	root.AddCommand(append(absent.New(), reference.NewMan(k))...)
	for _, kind := range stack.Kinds() {
		root.AddCommand(component.New(k, kind))
	}
	return root
}
