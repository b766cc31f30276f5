package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/proa-ml/proa/internal/strict"
)

// Validate checks what the types can't say: names, references between steps, durations, and that the graph has no cycle.
// It reports every mistake it finds, not only the first.
func (p *Pipeline) Validate() error {
	var errs []error
	if strings.TrimSpace(p.Name) == "" {
		errs = append(errs, errors.New("the pipeline has no name"))
	}
	if len(p.Steps) == 0 {
		errs = append(errs, fmt.Errorf("pipeline %q has no steps", p.Name))
	}
	if slices.Contains(p.Secrets, "") {
		errs = append(errs, fmt.Errorf("pipeline %q: secrets holds an empty name", p.Name))
	}
	if p.Schedule != nil {
		if err := p.Schedule.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("the schedule of pipeline %q: %w", p.Name, err))
		}
	}
	steps, err := index(p.Steps)
	errs = append(errs, err)
	errs = append(errs, p.Settings.validate("the pipeline"))
	for i := range p.Steps {
		errs = append(errs, p.Steps[i].validate(steps), p.Steps[i].Settings.validate("step "+p.Steps[i].Name))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if cycle := p.Cycle(); cycle != nil {
		return fmt.Errorf("the steps of pipeline %q wait for each other in a cycle: %s", p.Name, strings.Join(cycle, " -> "))
	}
	return nil
}

// index maps names to steps; an empty or repeated name is an error.
func index(steps []Step) (map[string]*Step, error) {
	var errs []error
	byName := make(map[string]*Step, len(steps))
	for i := range steps {
		name := steps[i].Name
		switch {
		case strings.TrimSpace(name) == "":
			errs = append(errs, fmt.Errorf("steps[%d] has no name", i))
		case byName[name] != nil:
			errs = append(errs, fmt.Errorf("two steps are named %q: give one of them another name", name))
		}
		byName[name] = &steps[i]
	}
	return byName, errors.Join(errs...)
}

func (s *Step) validate(steps map[string]*Step) error {
	var errs []error
	add := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("step %q: "+format, append([]any{s.Name}, args...)...))
	}
	if s.Run.Python == nil {
		add("nothing to run: run.python is missing")
	} else if !strings.Contains(s.Run.Python.Source, ":") {
		add("run.python.source is %q, not \"module:function\"", s.Run.Python.Source)
	}
	s.validateInputs(steps, add)
	for _, name := range s.After {
		if steps[name] == nil {
			add("after: there is no step %q%s", name, suggestion(name, steps))
		}
	}
	if slices.Contains(s.Secrets, "") {
		add("secrets holds an empty name")
	}
	s.validateOutputs(add)
	s.validateTimes(add)
	return errors.Join(errs...)
}

func (s *Settings) validate(owner string) error {
	if s == nil {
		return nil
	}
	return s.Docker.validate(owner)
}

type adder = func(format string, args ...any)

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (s *Step) validateInputs(steps map[string]*Step, add adder) {
	for _, name := range sortedNames(s.Inputs) {
		in := s.Inputs[name]
		if _, twice := s.Parameters[name]; twice {
			add("argument %q is both an input and a parameter", name)
		}
		switch {
		case in.Artifact != "" && (in.Step != "" || in.Output != ""):
			add("input %q: has both a step's output and an artifact", name)
		case in.Artifact != "" && !digestPattern.MatchString(in.Artifact):
			add("input %q: artifact %q is not a digest of the form sha256:<64 hex digits>", name, in.Artifact)
		case in.Artifact != "":
		case steps[in.Step] == nil:
			add("input %q: there is no step %q%s", name, in.Step, suggestion(in.Step, steps))
		case !steps[in.Step].hasOutput(in.Output):
			add("input %q: step %q has no output %q: it has %s", name, in.Step, in.Output, steps[in.Step].outputNames())
		}
	}
}

func (s *Step) validateOutputs(add adder) {
	seen := map[string]bool{}
	for _, o := range s.Outputs {
		switch {
		case o.Name == "":
			add("an output has no name")
		case strings.ContainsAny(o.Name, "/\\\x00") || o.Name == "." || o.Name == "..":
			add("output name %q can't be a file name", o.Name)
		case seen[o.Name]:
			add("two outputs are named %q", o.Name)
		}
		seen[o.Name] = true
	}
}

// retryKinds are the kinds of failure that a retry policy may list.
var retryKinds = []string{"user", "oom", "timeout", "image", "unschedulable", "config"}

func (s *Step) validateTimes(add adder) {
	duration := func(field, value string) {
		if value == "" {
			return
		}
		if d, err := time.ParseDuration(value); err != nil || d < 0 {
			add("%s is %q, not a duration such as \"90s\" or \"2h\"", field, value)
		}
	}
	duration("timeout", s.Timeout)
	if r := s.Retry; r != nil {
		duration("retry.delay", r.Delay)
		duration("retry.cap", r.Cap)
		if r.Max < 0 || r.Factor < 0 {
			add("retry: max and factor can't be negative")
		}
		if r.Infrastructure != nil && *r.Infrastructure < 0 {
			add("retry: infrastructure can't be negative")
		}
		for _, kind := range r.On {
			if !slices.Contains(retryKinds, kind) {
				add("retry.on: %q is no kind of failure to try again after; they are %s", kind, strings.Join(retryKinds, ", "))
			}
		}
		s.validateOnOOM(r.OnOOM, add)
	}
}

func (s *Step) validateOnOOM(o *OnOOM, add adder) {
	switch {
	case o == nil:
	case o.MemoryFactor != 0 && o.MemoryFactor <= 1:
		add("retry.on_oom: memory_factor is %v; it must be greater than 1", o.MemoryFactor)
	case o.MaxMemory == "":
		add("retry.on_oom: max_memory is missing: say how much memory an attempt may have at most, such as \"16Gi\"")
	case s.Resources == nil || s.Resources.Memory == "":
		add("retry.on_oom: the step asks for no memory that could grow: set resources.memory")
	}
}

func (s *Step) hasOutput(name string) bool {
	for _, o := range s.Outputs {
		if o.Name == name {
			return true
		}
	}
	return false
}

func (s *Step) outputNames() string {
	if len(s.Outputs) == 0 {
		return "none"
	}
	names := make([]string, len(s.Outputs))
	for i, o := range s.Outputs {
		names[i] = o.Name
	}
	return strings.Join(names, ", ")
}

func suggestion(name string, steps map[string]*Step) string {
	if near := strict.Nearest(name, sortedNames(steps)); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
