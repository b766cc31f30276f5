package component

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/service"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

func (n noun) upCommand() *cobra.Command {
	return &cobra.Command{
		Use: "up [NAME]", Short: fmt.Sprintf("Start %s that proa runs itself; the active stack's if no name is given", n.kind.Article()),
		Long: fmt.Sprintf("Start %s that proa runs itself, such as a database in a cluster; the active stack's if no name is given.\n"+
			"What is missing is made, and what is there is left as it is. For any other one there is nothing to do.", n.kind.Article()),
		Example: fmt.Sprintf("  proa %s up\n  proa %[1]s up NAME", n.kind),
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, _, c, err := n.load(args)
			if err != nil {
				return err
			}
			return service.Up(cmd.Context(), n.Kit, []stack.Component{c})
		},
	}
}

func (n noun) downCommand() *cobra.Command {
	var stop service.Stop
	cmd := &cobra.Command{
		Use: "down [NAME]", Short: fmt.Sprintf("Stop %s that proa runs itself and keep its data; the active stack's if no name is given", n.kind.Article()),
		Long: fmt.Sprintf("Stop %s that proa runs itself, and keep its data; the active stack's if no name is given.\n"+
			"With --force it is removed with all its data.", n.kind.Article()),
		Example: fmt.Sprintf("  proa %s down\n  proa %[1]s down NAME --force --yes", n.kind),
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, _, c, err := n.load(args)
			if err != nil {
				return err
			}
			return service.Down(cmd.Context(), n.Kit, []stack.Component{c}, stop)
		},
	}
	stop.AddFlags(cmd)
	return cmd
}

func (n noun) logsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs [NAME]", Short: fmt.Sprintf("Print what %s writes that proa runs itself; the active stack's if no name is given", n.kind.Article()),
		Example: fmt.Sprintf("  proa %s logs\n  proa %[1]s logs NAME --follow", n.kind),
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, _, c, err := n.load(args)
			if err != nil {
				return err
			}
			return service.Logs(cmd.Context(), n.Kit, c, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing until interrupted")
	return cmd
}
