package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/spec"
)

// infrastructureBudget is how often an attempt is tried again after failures that are not the user's doing.
const infrastructureBudget = 3

// New makes the plan of a valid spec for a target.
func New(p *spec.Pipeline, t Target) (*Plan, error) {
	made := &Plan{APIVersion: spec.APIVersion, Pipeline: p.Name}
	order := p.Order()
	if len(order) != len(p.Steps) {
		return nil, fmt.Errorf("planning pipeline %q: its steps wait for each other in a cycle: %s", p.Name, strings.Join(p.Cycle(), " -> "))
	}
	made.Settings = settings(t.RunSettings, t.Settings, orchestrator(p.Settings))
	images := map[string]int{}
	for _, i := range order {
		s, image, err := newStep(p, &p.Steps[i], t)
		if err != nil {
			return nil, fmt.Errorf("planning step %q: %w", p.Steps[i].Name, err)
		}
		made.Steps = append(made.Steps, s)
		if !t.Images {
			continue
		}
		if _, known := images[image.Key]; !known {
			images[image.Key] = len(made.Images)
			made.Images = append(made.Images, image)
		}
		at := &made.Images[images[image.Key]]
		at.Steps = append(at.Steps, s.Name)
	}
	return made, nil
}

// newStep makes one step's plan and the image it runs in; on a target without images the image only describes the
// environment, for the cache key.
func newStep(p *spec.Pipeline, s *spec.Step, t Target) (Step, Image, error) {
	d := docker(p.Settings, s.Settings)
	image, err := newImage(p, d, t)
	if err != nil {
		return Step{}, Image{}, err
	}
	retry, err := newRetry(s.Retry, s.Resources)
	if err != nil {
		return Step{}, Image{}, err
	}
	timeout, err := duration(s.Timeout)
	if err != nil {
		return Step{}, Image{}, fmt.Errorf("timeout: %w", err)
	}
	orchestration := settings(t.StepSettings, t.Settings, orchestrator(p.Settings), orchestrator(s.Settings))
	if retry.Rules, err = policyOf(orchestration); err != nil {
		return Step{}, Image{}, err
	}
	secrets := names(p.Secrets, s.Secrets)
	made := Step{
		Name:       s.Name,
		Needs:      s.Needs(),
		Command:    t.Command,
		Dir:        t.Dir,
		Env:        merged(t.Env, d.RuntimeEnvironment),
		User:       image.User,
		Source:     s.Run.Python.Source,
		Parameters: s.Parameters,
		Inputs:     s.Inputs,
		Outputs:    s.Outputs,
		Cache:      cached(p, s),
		Recipe:     recipe(s, image.environment(), d.RuntimeEnvironment, secrets),
		Retry:      retry,
		Timeout:    timeout,
		Resources:  s.Resources,
		Settings:   orchestration,
		Secrets:    secrets,
	}
	if t.Images {
		made.Image = image.Key
	} else {
		made.Env = merged(merged(t.Env, image.Environment), d.RuntimeEnvironment)
	}
	return made, image, nil
}

// cached reports whether a result may be reused: what the step says goes before what the pipeline says; both default to
// yes.
func cached(p *spec.Pipeline, s *spec.Step) bool {
	switch {
	case s.Cache != nil:
		return *s.Cache
	case p.Cache != nil:
		return *p.Cache
	}
	return true
}

// recipe digests all that a step's result depends on, but for the digests of its inputs. Names of runs, steps and
// pipelines, and where the step runs, are not part of it: equal work is equal wherever it stands. Secrets are part of it by
// name: a password that changed is no reason to compute again, and keys are kept where values may not be.
func recipe(s *spec.Step, environment string, variables map[string]string, secrets []string) string {
	artifacts := map[string]string{}
	for name, in := range s.Inputs {
		if in.Artifact != "" {
			artifacts[name] = in.Artifact
		}
	}
	return digest(struct {
		Version     string                     `json:"version"`
		Source      string                     `json:"source"`
		Code        string                     `json:"code"`
		Parameters  map[string]json.RawMessage `json:"parameters"`
		Artifacts   map[string]string          `json:"artifacts"`
		Outputs     []spec.Output              `json:"outputs"`
		Environment string                     `json:"environment"`
		Variables   map[string]string          `json:"variables,omitempty"`
		Secrets     []string                   `json:"secrets,omitempty"`
	}{spec.APIVersion, s.Run.Python.Source, s.Run.Python.Digest, s.Parameters, artifacts, s.Outputs, environment, variables, secrets})
}

// names returns the names in both lists, each once, sorted.
func names(first, second []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(first, second))))
}

func orchestrator(s *spec.Settings) map[string]json.RawMessage {
	if s == nil {
		return nil
	}
	return s.Orchestrator
}

// merged returns the union of two maps, in which the second goes before the first. It changes neither.
func merged[V any](first, second map[string]V) map[string]V {
	if len(second) == 0 {
		return first
	}
	union := maps.Clone(second)
	for key, value := range first {
		if _, set := second[key]; !set {
			union[key] = value
		}
	}
	return union
}

func newRetry(r *spec.Retry, resources *spec.Resources) (Retry, error) {
	made := Retry{Factor: 1, Infrastructure: infrastructureBudget}
	if r == nil {
		return made, nil
	}
	var err error
	made.Max, made.On = r.Max, r.On
	if r.Infrastructure != nil {
		made.Infrastructure = *r.Infrastructure
	}
	if r.Factor != 0 {
		made.Factor = r.Factor
	}
	if made.Delay, err = duration(r.Delay); err != nil {
		return Retry{}, fmt.Errorf("retry.delay: %w", err)
	}
	if made.Cap, err = duration(r.Cap); err != nil {
		return Retry{}, fmt.Errorf("retry.cap: %w", err)
	}
	if r.OnOOM != nil {
		if made.Memory, err = ladder(resources.Memory, *r.OnOOM); err != nil {
			return Retry{}, fmt.Errorf("retry.on_oom: %w", err)
		}
	}
	return made, nil
}

func duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	return time.ParseDuration(s)
}

// minor cuts "3.11.7" to "3.11".
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}
