package launch

import (
	"encoding/json"
	"os"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/spf13/cobra"
)

// NewRun makes `proa run`.
func NewRun(k *kit.Kit) *cobra.Command {
	var specFile, resultFile string
	cmd := &cobra.Command{
		Example: "  proa run train.py\n  proa run train.py --epochs 3",
		Use:     "run FILE [ARGUMENTS] | run --spec SPEC [--result RESULT]",
		Short:   "Run a Python file's pipeline, or a spec, on the active stack",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case specFile == "" && len(args) == 0:
				return fault.New(fault.Usage, "usage: proa "+cmd.Use, "name a Python file, or a spec with --spec")
			case specFile == "":
				return runScript(k, args)
			case len(args) > 0:
				return fault.New(fault.Usage, "usage: proa "+cmd.Use, "a spec and a file exclude each other")
			}
			return runSpec(cmd.Context(), k, inDir(k, specFile), resultFile)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows FILE is the script's
	cmd.Flags().StringVar(&specFile, "spec", "", "a spec to run, instead of a Python file")
	cmd.Flags().StringVar(&resultFile, "result", "", "where to write the run as JSON")
	return cmd
}

// NewSpec makes `proa spec`.
func NewSpec(k *kit.Kit) *cobra.Command {
	cmd := &cobra.Command{
		Example: "  proa spec train.py",
		Use:     "spec FILE [ARGUMENTS]", Short: "Print the spec of a Python file's first pipeline, as JSON", Args: kit.Args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := specOf(cmd.Context(), k, args)
			if err != nil {
				return err
			}
			pipeline, err := spec.Decode(data)
			if err != nil {
				return invalid(args[0], err)
			}
			return output.Print(k.Streams, "json", pipeline, output.Table{})
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// NewPlan makes `proa plan`.
func NewPlan(k *kit.Kit) *cobra.Command {
	cmd := &cobra.Command{
		Example: "  proa plan train.py",
		Use:     "plan FILE [ARGUMENTS]", Short: "Print what would be built and run on the active stack, as JSON", Args: kit.Args(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			resolved, err := k.Stack()
			if err != nil {
				return err
			}
			data, err := specOf(cmd.Context(), k, args)
			if err != nil {
				return err
			}
			_, p, err := planFor(k, resolved, data)
			if err != nil {
				return err
			}
			return output.Print(k.Streams, "json", p, output.Table{})
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func encode(p *plan.Plan) (json.RawMessage, error) { return json.Marshal(p) }

func readSpec(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "reading the spec: %w", err)
	}
	return data, nil
}
