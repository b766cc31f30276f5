package launch

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
)

// runnerModule is the Python module that runs a step.
const runnerModule = "proa.runner"

// appDir is where a user's code is in an image.
const appDir = "/app"

// planFor decodes a spec and plans it for a stack.
func planFor(k *kit.Kit, s stack.Resolved, data []byte) (*spec.Pipeline, *plan.Plan, error) {
	pipeline, err := spec.Decode(data)
	if err != nil {
		return nil, nil, invalid("the pipeline's spec", err)
	}
	if err := unhidden(pipeline.Source.Root, "the pipeline's steps"); err != nil {
		return nil, nil, err
	}
	if err := checkSettings(k.Catalogue, s, pipeline); err != nil {
		return nil, nil, err
	}
	t, err := target(k, s, pipeline)
	if err != nil {
		return nil, nil, err
	}
	p, err := plan.New(pipeline, t)
	if err != nil {
		return nil, nil, invalid("planning the pipeline", err)
	}
	return pipeline, p, nil
}

// target is what a pipeline is planned for on a stack.
func target(k *kit.Kit, s stack.Resolved, p *spec.Pipeline) (plan.Target, error) {
	t, err := settingsTarget(k, s)
	if err != nil {
		return t, err
	}
	if k.Catalogue.Remote(k.Catalogue.Place(s)) {
		settings, err := k.Catalogue.Settings(s.Components[stack.ImageBuilder])
		if err != nil {
			return plan.Target{}, err
		}
		t.Images, t.Base, t.Platform = true, settings["parent_image"], settings["platform"]
		t.Command, t.Dir = []string{"python", "-m", runnerModule}, appDir
		return t, nil
	}
	interpreter := p.Source.Interpreter
	if interpreter == "" {
		found, err := pyenv.Find(k)
		if err != nil {
			return plan.Target{}, err
		}
		interpreter = found
	}
	folder, err := sdk(k)
	if err != nil {
		return plan.Target{}, err
	}
	path := folder
	if own := k.Env("PYTHONPATH"); own != "" {
		path += string(os.PathListSeparator) + own
	}
	t.Command, t.Dir = []string{interpreter, "-m", runnerModule}, p.Source.Root
	t.Env = map[string]string{"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
	return t, nil
}

// settingsTarget is the part of a target that the orchestrator's attributes make.
func settingsTarget(k *kit.Kit, s stack.Resolved) (plan.Target, error) {
	orchestrator := s.Components[stack.Orchestrator]
	f, err := k.Catalogue.Find(stack.Orchestrator, orchestrator.Flavor)
	if err != nil {
		return plan.Target{}, err
	}
	settings, err := f.Settings(orchestrator.Attributes)
	if err != nil {
		return plan.Target{}, err
	}
	t := plan.Target{Settings: map[string]json.RawMessage{}, RunSettings: f.Scoped(flavor.Run), StepSettings: f.Scoped(flavor.Step)}
	for _, a := range f.Attributes {
		if value, given := settings[a.Name]; given && a.Scope != "" {
			t.Settings[a.Name] = a.JSON(value)
		}
	}
	return t, nil
}

// checkSettings checks the settings that a pipeline has for the orchestrator against its flavor, and puts them into their
// usual notation.
func checkSettings(c flavor.Catalogue, s stack.Resolved, p *spec.Pipeline) error {
	f, err := c.Find(stack.Orchestrator, s.Components[stack.Orchestrator].Flavor)
	if err != nil {
		return err
	}
	check := func(where string, level flavor.Scope, settings *spec.Settings) error {
		if settings == nil {
			return nil
		}
		usual := map[string]json.RawMessage{}
		for _, name := range slices.Sorted(maps.Keys(settings.Orchestrator)) {
			proper, value, err := f.Setting(name, textOf(settings.Orchestrator[name]), level)
			switch {
			case err == nil:
				usual[proper] = value
			case !c.Foreign(f, name):
				return fmt.Errorf("settings of %s: %w", where, err)
			}
		}
		settings.Orchestrator = usual
		return nil
	}
	if err := check("the pipeline", flavor.Run, p.Settings); err != nil {
		return err
	}
	for _, st := range p.Steps {
		if err := check("step "+st.Name, flavor.Step, st.Settings); err != nil {
			return err
		}
	}
	return nil
}

// textOf is a JSON value as an attribute's text.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
