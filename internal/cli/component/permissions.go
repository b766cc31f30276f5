package component

import (
	"context"
	"fmt"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// permissionsCommand makes `proa orchestrator permissions`.
func (n noun) permissionsCommand() *cobra.Command {
	var p flavor.Permissions
	network := false
	cmd := &cobra.Command{
		Use:   "permissions [NAME]",
		Short: "Print what the orchestrator and its users need in its cluster, for an administrator to apply",
		Long: "Print what the orchestrator and its users need in its cluster, for an administrator to apply: the namespace, the coordinator's " +
			"service account and role, and a role for users to each end, bound to those who are named.",
		Example: "  proa orchestrator permissions | kubectl apply -f -\n" +
			"  proa orchestrator permissions --user=ada --for=runs,schedules,secrets,database,images\n" +
			"  proa orchestrator permissions --network-policy | kubectl apply -f -",
		Args: kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			if network {
				return n.networkPolicies(cmd.Context(), args)
			}
			remote, err := n.remote(args)
			if err != nil {
				return err
			}
			p.Builds = n.builds()
			text, err := remote.Permissions(p)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(n.Out, text)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&p.For, "for", []string{"runs", "schedules"}, "what users are to be permitted: runs, schedules, secrets (the secrets manager kubernetes), database (the metadata store kubernetes), images (the image builder buildkit, in its own namespace)")
	flags.StringSliceVar(&p.Users, "user", nil, "the name of a user, as the cluster knows it, who is to be permitted it")
	flags.StringSliceVar(&p.Groups, "group", nil, "the name of a group that is to be permitted it")
	flags.StringSliceVar(&p.ServiceAccounts, "service-account", nil, "a service account that is to be permitted it, as NAMESPACE:NAME")
	flags.BoolVar(&network, "network-policy", false, "print NetworkPolicies instead, which let through only what the runs of the active stack need")
	return cmd
}

// builds is the namespace in which the active stack's image builder builds; empty if it does so in none.
func (n noun) builds() string {
	s, err := n.StackToRead()
	if err != nil {
		return ""
	}
	settings, err := n.Catalogue.Settings(s.Components[stack.ImageBuilder])
	if err != nil {
		return ""
	}
	return settings["kubernetes_namespace"]
}

// networkPolicies prints the policies of the active stack.
func (n noun) networkPolicies(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return stack.Mistake("leave the name out; `proa stack set NAME` chooses the stack", "network policies are a stack's: they name its stores")
	}
	if _, err := n.remote(nil); err != nil {
		return err
	}
	s, err := n.StackToRead()
	if err != nil {
		return err
	}
	opener, ok := n.Opener.(flavor.NetworkOpener)
	if !ok {
		return stack.Mistake("", "this proa can't close the network of runs")
	}
	text, err := opener.NetworkPolicies(ctx, s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(n.Out, text)
	return err
}

// remote opens the orchestrator that is named, or the active stack's, which has to be one that runs elsewhere.
func (n noun) remote(args []string) (flavor.Remote, error) {
	_, _, c, err := n.load(args)
	if err != nil {
		return nil, err
	}
	place := n.Catalogue.Place(stack.Resolved{Components: map[stack.Kind]stack.Component{n.kind: c}})
	if !n.Catalogue.Remote(place) {
		return nil, stack.Mistake(fmt.Sprintf("name another one; `proa %s list` shows them", n.kind),
			"the %s %q runs on this machine and needs no permissions", n.kind.Words(), c.Name)
	}
	return n.Opener.Remote(place)
}
