package component

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// permissionsCommand makes `proa orchestrator permissions`.
func (n noun) permissionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "permissions [NAME]",
		Short:   "Print what the orchestrator needs in its cluster, for an administrator to apply",
		Example: "  proa orchestrator permissions | kubectl apply -f -",
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(_ *cobra.Command, args []string) error {
			_, _, c, err := n.load(args)
			if err != nil {
				return err
			}
			place := n.Catalogue.Place(stack.Resolved{Components: map[stack.Kind]stack.Component{n.kind: c}})
			if !n.Catalogue.Remote(place) {
				return stack.Mistake(fmt.Sprintf("name another one; `proa %s list` shows them", n.kind),
					"the %s %q runs on this machine and needs no permissions", n.kind.Words(), c.Name)
			}
			remote, err := n.Opener.Remote(place)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(n.Out, remote.Permissions())
			return err
		},
	}
}
