package launch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/spf13/cobra"
)

// NewRun makes `proa run`.
func NewRun(k *kit.Kit) *cobra.Command {
	var specFile, resultFile, schedule string
	var build, rebuild bool
	var format output.Format
	cmd := &cobra.Command{
		Example: "  proa run train.py\n  proa run train.py --epochs 3\n  proa run --build-only train.py\n  proa run --schedule '0 9 * * 1-5' train.py",
		Use:     "run FILE [ARGUMENTS] | run --spec SPEC [--result RESULT]",
		Short:   "Run a Python file's pipeline, or a spec, on the active stack",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if schedule != "" {
				k.Environ = with(k.Environ, scheduleEnv+"="+schedule)
				k.Env = withEnv(k.Env, scheduleEnv, schedule)
			}
			switch {
			case specFile == "" && len(args) == 0:
				return fault.New(fault.Usage, "usage: proa "+cmd.Use, "name a Python file, or a spec with --spec")
			case specFile != "" && len(args) > 0:
				return fault.New(fault.Usage, "usage: proa "+cmd.Use, "a spec and a file exclude each other")
			case specFile == "" && resultFile != "":
				return fault.New(fault.Usage, "`proa runs show RUN -o json` prints a run", "--result goes with --spec")
			case build && specFile == "":
				return Images(cmd.Context(), k, args, format, rebuild)
			case build:
				data, err := readSpec(inDir(k, specFile))
				if err != nil {
					return err
				}
				return buildOnly(cmd.Context(), k, data, format, rebuild)
			case specFile == "" && rebuild:
				return runScript(k, args, rebuildVariable+"=1")
			case specFile == "":
				return runScript(k, args)
			}
			return runSpec(cmd.Context(), k, inDir(k, specFile), resultFile, rebuild || k.Env(rebuildVariable) == "1")
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows FILE is the script's
	cmd.Flags().StringVar(&specFile, "spec", "", "a spec to run, instead of a Python file")
	cmd.Flags().StringVar(&schedule, "schedule", "", "have the cluster run the pipeline at these times instead of now, as a cron expression; the command schedule shows and changes it")
	cmd.Flags().StringVar(&resultFile, "result", "", "where to write the run as JSON")
	cmd.Flags().BoolVar(&build, "build-only", false, "build and push the images, print them, and run nothing")
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "resolve the requirements anew, and build images again that are there already")
	output.AddFlag(cmd, &format)
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
	format := output.Format("json")
	cmd := &cobra.Command{
		Example: "  proa plan train.py\n  proa plan -o table train.py",
		Use:     "plan FILE [ARGUMENTS]", Short: "Print what would be built and run on the active stack", Args: kit.Args(1, -1),
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
			return output.Print(k.Streams, format, p, planTable(p))
		},
	}
	cmd.Flags().SetInterspersed(false)
	output.AddFlag(cmd, &format)
	return cmd
}

// planTable shows the steps in their order, with what each waits for and which of the images it runs in.
func planTable(p *plan.Plan) output.Table {
	t := output.Table{Header: []string{"STEP", "AFTER", "IMAGE", "BASE", "REQUIREMENTS", "CODE"}}
	number := map[string]string{}
	for i, image := range p.Images {
		number[image.Key] = fmt.Sprintf("image %d", i+1)
	}
	for _, s := range p.Steps {
		row := []string{s.Name, strings.Join(s.Needs, ", "), "none", "", "", ""}
		if i := p.Image(s.Image); i != nil {
			row[2], row[3], row[4], row[5] = number[i.Key], i.Base, requirementsOf(i), cmp.Or(i.Code, spec.CodeImage)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func requirementsOf(i *plan.Image) string {
	all := slices.Clone(i.Requirements)
	if i.Lock != nil {
		all = append(all, path.Base(i.Lock.Path))
	}
	return strings.Join(all, ", ")
}

// withEnv returns a look-up of the environment in which one variable is set.
func withEnv(env func(string) string, name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return env(asked)
	}
}

func encode(p *plan.Plan) (json.RawMessage, error) { return json.Marshal(p) }

func readSpec(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "reading the spec: %w", err)
	}
	return data, nil
}
