package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
	"github.com/spf13/cobra"
)

// NewResume makes `proa runs resume`.
func NewResume(k *kit.Kit) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use: "resume RUN [--from STEP]", Short: "Run what did not succeed in a run, with the code as it is now", Args: kit.Args(1, 1),
		Long: "Start a run of the same pipeline with the same parameters that takes over all steps that had succeeded and runs the others,\n" +
			"with the code as it is now. Where the code isn't on this machine, the images of the run are used as they are.",
		Example: "  proa runs resume RUN\n  proa runs resume RUN --from trainer",
		RunE: func(cmd *cobra.Command, args []string) error {
			return again(cmd.Context(), k, args[0], &repetition{from: from})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "also run this step again, and all that depend on it")
	return cmd
}

// NewRetry makes `proa runs retry`.
func NewRetry(k *kit.Kit) *cobra.Command {
	return &cobra.Command{
		Use: "retry RUN", Short: "Run what did not succeed in a run, with the code as it was", Args: kit.Args(1, 1),
		Long: "Start a run of the same pipeline that takes over all steps that had succeeded and runs the others, unchanged: with the images\n" +
			"of the run or, on the local stack, with the code if it hasn't changed since.",
		Example: "  proa runs retry RUN",
		RunE: func(cmd *cobra.Command, args []string) error {
			return again(cmd.Context(), k, args[0], &repetition{unchanged: true})
		},
	}
}

// repetition is a run that takes over what another has done.
type repetition struct {
	from      string
	unchanged bool
	old       driver.Run
	steps     map[string]driver.Step
	plan      plan.Plan
}

func again(ctx context.Context, k *kit.Kit, name string, r *repetition) (err error) {
	l := &launch{Kit: k, began: k.Now()}
	if l.stack, err = k.Stack(); err != nil {
		return err
	}
	if err := r.read(ctx, k, name); err != nil {
		return err
	}
	if r.old.Stack != l.stack.Name {
		return fault.New(fault.Configuration, "`proa stack set "+r.old.Stack+"`", "the run %s is of the stack %q, and the active one is %q", r.old.Name, r.old.Stack, l.stack.Name)
	}
	l.view = k.View()
	defer l.view.Close()
	if err := l.repeat(ctx, r); err != nil {
		return err
	}
	return l.drive(ctx, "", func(ctx context.Context) error { return r.adopt(ctx, l) })
}

// read finds the run and what became of it.
func (r *repetition) read(ctx context.Context, k *kit.Kit, name string) (err error) {
	stores, err := k.OpenMetadata(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	if r.old, err = stores.Metadata.Run(ctx, name); err != nil {
		return kit.NoRun(err, name, stores.Stack.Name)
	}
	switch status := run.Status(r.old.Status); {
	case !status.Final():
		return fault.New(fault.Usage, "wait for its end, or `proa runs cancel "+r.old.Name+"`", "the run %s has not ended: it is %s", r.old.Name, status)
	case status == run.Succeeded && r.from == "":
		return fault.New(fault.Usage, "name the step to begin with: --from STEP", "all steps of the run %s have succeeded", r.old.Name)
	}
	if err := json.Unmarshal(r.old.Plan, &r.plan); err != nil {
		return fmt.Errorf("reading the plan of run %s: %w", r.old.Name, err)
	}
	rows, err := stores.Metadata.Steps(ctx, r.old.ID)
	r.steps = map[string]driver.Step{}
	for _, row := range rows {
		r.steps[row.Name] = row
	}
	return err
}

// repeat plans the new run: from the code as it is now or, where that is not wanted or not to be had, as it was.
func (l *launch) repeat(ctx context.Context, r *repetition) error {
	old, err := spec.Decode(r.old.Spec)
	if err != nil {
		return invalid("the spec of run "+r.old.Name, err)
	}
	l.place = l.Catalogue.Place(l.stack)
	remote := l.Catalogue.Remote(l.place)
	if _, err := os.Stat(sourceOf(old)); err != nil || r.unchanged && remote {
		if err != nil && !remote {
			return fault.New(fault.Usage, "go to the machine that has it, or put it there", "the code of the run is not on this machine: %w", err)
		}
		if !r.unchanged {
			l.view.Say("The code is not on this machine, so the run's images are used as they are.")
		}
		return l.asItWas(r, old)
	}
	if l.data, err = l.respec(ctx, old, r.old.Spec); err != nil {
		return err
	}
	if l.pipeline, l.plan, err = planFor(l.Kit, l.stack, l.data); err != nil {
		return err
	}
	if r.unchanged && changed(old, l.pipeline) {
		return fault.New(fault.Usage, "`proa runs resume "+r.old.Name+"` runs what did not succeed with the code as it is now", "the code has changed since the run %s", r.old.Name)
	}
	return l.resumes(r)
}

// asItWas takes the old run's plan, whose images are built.
func (l *launch) asItWas(r *repetition, old *spec.Pipeline) (err error) {
	l.data, l.pipeline, l.plan = r.old.Spec, old, &r.plan
	for i := range l.plan.Steps {
		l.plan.Steps[i].Adopted = nil
	}
	return l.resumes(r)
}

func (l *launch) resumes(r *repetition) (err error) {
	if r.from != "" && l.plan.Step(r.from) == nil {
		return fault.New(fault.Usage, "`proa runs show "+r.old.Name+"` lists the steps", "the pipeline %q has no step %q", l.pipeline.Name, r.from)
	}
	l.plan.Resumes = r.old.Name
	l.settings, err = settingsOf(l.plan)
	return err
}

// changed reports whether the code of a step, or the steps themselves, differ.
func changed(old, now *spec.Pipeline) bool {
	digests := map[string]string{}
	for _, s := range old.Steps {
		digests[s.Name] = s.Run.Python.Digest
	}
	for _, s := range now.Steps {
		if digests[s.Name] != s.Run.Python.Digest {
			return true
		}
	}
	return len(old.Steps) != len(now.Steps)
}

// adopt gives the plan's steps the results of the old run's that had succeeded and are still there. A step's result
// counts only if those of all that it needs do.
func (r *repetition) adopt(ctx context.Context, l *launch) error {
	adopted := 0
	for i := range l.plan.Steps {
		s := &l.plan.Steps[i]
		row, ok := r.steps[s.Name]
		if !ok || s.Name == r.from || row.Status != string(run.StepSucceeded) && row.Status != string(run.StepFromCache) {
			continue
		}
		whole, err := r.whole(ctx, l, s, row)
		if err != nil {
			return err
		}
		if !whole {
			continue
		}
		s.Adopted = &plan.Adopted{Run: r.old.ID, Outputs: map[string]json.RawMessage{}}
		if row.CachedFrom != "" {
			s.Adopted.Run = row.CachedFrom
		}
		for name, artifact := range row.Outputs {
			if s.Adopted.Outputs[name], err = json.Marshal(artifact); err != nil {
				return err
			}
		}
		adopted++
	}
	l.view.Say(fmt.Sprintf("Resuming run %s: %d of %d steps are taken over", r.old.Name, adopted, len(l.plan.Steps)))
	return nil
}

// whole reports whether a step's result can be taken over.
func (r *repetition) whole(ctx context.Context, l *launch, s *plan.Step, row driver.Step) (bool, error) {
	for _, need := range s.Needs {
		if l.plan.Step(need).Adopted == nil {
			return false, nil
		}
	}
	for _, declared := range s.Outputs {
		if there, err := exists(ctx, l, row.Outputs[declared.Name]); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

func exists(ctx context.Context, l *launch, a step.Artifact) (bool, error) {
	if a.Digest == "" {
		return false, nil
	}
	return l.artifacts.Exists(ctx, a.Digest)
}
