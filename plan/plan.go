// Package plan turns a spec and a target into a plan: what has to be built and run, in which order, under which cache
// keys. It is pure: no I/O, no clock, no environment, so a plan can be printed, tested against golden files and replayed.
package plan

import (
	"encoding/json"
	"time"

	"github.com/proa-ml/proa/spec"
)

// Plan is a pipeline made ready to run on one kind of target. A run keeps its plan, frozen, in the metadata store.
type Plan struct {
	APIVersion string `json:"apiVersion"`
	Pipeline   string `json:"pipeline"`
	// Resumes names the run of which this one takes over what had succeeded; empty if there is none.
	Resumes string `json:"resumes,omitempty"`
	// Revision is the commit that the code is from, with "-dirty" if it was changed since; empty if it isn't known. It is for
	// the record.
	Revision string `json:"revision,omitempty"`
	// Coordinator is the reference, by digest, of the image that drives the run, once it is built.
	Coordinator string `json:"coordinator,omitempty"`
	// Images are the distinct images the steps need; none on a target that runs processes.
	Images []Image `json:"images,omitempty"`
	// Settings are the orchestrator's settings for the run as a whole.
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
	// Steps are in topological order; steps that don't depend on each other keep the order of the spec.
	Steps []Step `json:"steps"`
}

// Image is one image to build, shared by all steps with equal settings. Fields that also stand in [spec.Docker] mean what
// they mean there.
type Image struct {
	// Key identifies the image within the plan.
	Key string `json:"key"`
	// Steps names those that run in it.
	Steps        []string          `json:"steps,omitempty"`
	Base         string            `json:"base"`
	Platform     string            `json:"platform"`
	Python       string            `json:"python"`
	Requirements []string          `json:"requirements,omitempty"`
	Constraints  []string          `json:"constraints,omitempty"`
	IndexOptions []string          `json:"indexOptions,omitempty"`
	Lock         *spec.Lock        `json:"lock,omitempty"`
	Environment  map[string]string `json:"environment,omitempty"`
	User         string            `json:"user,omitempty"`
	// Installer, InstallerArgs and BuildSecrets (references, not secrets) say how requirements are installed.
	Installer     string            `json:"installer,omitempty"`
	InstallerArgs []string          `json:"installerArgs,omitempty"`
	BuildSecrets  map[string]string `json:"buildSecrets,omitempty"`
	// AptPackages, Dockerfile, BuildContextRoot and BuildOptions are for builders that have Docker.
	AptPackages      []string                   `json:"aptPackages,omitempty"`
	Dockerfile       string                     `json:"dockerfile,omitempty"`
	BuildContextRoot string                     `json:"buildContextRoot,omitempty"`
	BuildOptions     map[string]json.RawMessage `json:"buildOptions,omitempty"`
	// Code is how the user's code gets to the steps, and Dockerignore what of it is left out.
	Code         string `json:"code,omitempty"`
	Dockerignore string `json:"dockerignore,omitempty"`
	// Repository and Tag are where it is pushed, if the settings say so.
	Repository   string `json:"repository,omitempty"`
	Tag          string `json:"tag,omitempty"`
	SkipBuild    bool   `json:"skipBuild,omitempty"`
	PreventReuse bool   `json:"preventReuse,omitempty"`
	// Ref is the reference by digest, once built; CodeDigest that of the code in the artifact store, once it is there.
	Ref        string `json:"ref,omitempty"`
	CodeDigest string `json:"codeDigest,omitempty"`
}

// Step is one step, with its defaults filled in.
type Step struct {
	Name string `json:"name"`
	// Needs names the steps that must have succeeded first: those of Inputs and After, without repetition, sorted.
	Needs []string `json:"needs,omitempty"`
	// Image is the Key of one of the plan's images; empty on a target that runs processes.
	Image string `json:"image,omitempty"`
	// Command, Dir and Env are the runner's, as in the Invocation.
	Command []string          `json:"command"`
	Dir     string            `json:"dir"`
	Env     map[string]string `json:"env,omitempty"`
	// User is who the step runs as in a container, if its settings say so.
	User string `json:"user,omitempty"`
	// Source, Parameters, Inputs and Outputs are the spec's.
	Source     string                     `json:"source"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	Inputs     map[string]spec.Input      `json:"inputs,omitempty"`
	Outputs    []spec.Output              `json:"outputs,omitempty"`
	// Cache says whether an equal result may be taken instead of running.
	Cache bool `json:"cache"`
	// Recipe is the part of the cache key that is known before the run; see CacheKey.
	Recipe    string                     `json:"recipe"`
	Retry     Retry                      `json:"retry"`
	Timeout   time.Duration              `json:"timeout,omitempty"`
	Resources *spec.Resources            `json:"resources,omitempty"`
	Settings  map[string]json.RawMessage `json:"settings,omitempty"`
	// Secrets names the secrets that the step is given: the pipeline's and its own, sorted.
	Secrets []string `json:"secrets,omitempty"`
	// Adopted is an earlier run's result, which counts as the step's own whatever its key; nil if it has to be found.
	Adopted *Adopted `json:"adopted,omitempty"`
}

// Adopted is a result that a run takes over from the run that it resumes.
type Adopted struct {
	// Run is the id of the run in which the step ran.
	Run     string                     `json:"run"`
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
}

// Retry is the spec's retry policy with durations parsed and defaults filled in.
type Retry struct {
	Max    int           `json:"max"`
	Delay  time.Duration `json:"delay,omitempty"`
	Factor float64       `json:"factor,omitempty"`
	Cap    time.Duration `json:"cap,omitempty"`
	// Memory lists what attempts ask for, in bytes: each that ran out of memory is followed by one with the next amount, as
	// long as there is one. The first is the step's own; empty without such a policy.
	Memory []int64 `json:"memory,omitempty"`
	// On are the kinds of failure that burn Max; empty means the usual ones.
	On []string `json:"on,omitempty"`
	// Infrastructure is the budget of further attempts after failures that are not the user's doing.
	Infrastructure int `json:"infrastructure"`
	// Rules say otherwise for some failures.
	Rules []Rule `json:"rules,omitempty"`
}

// Target is what a plan is made for; it follows from the stack.
type Target struct {
	// Images says that steps run in images; otherwise they run as processes on this machine.
	Images bool
	// Base is the base image for steps that don't name one; it may hold {python} for the minor version.
	Base     string
	Platform string
	// Command, Dir and Env are the runner's on this target.
	Command []string
	Dir     string
	Env     map[string]string
	// Settings are what the stack says about its orchestrator. RunSettings and StepSettings name those that a pipeline, and
	// those that also a step, may say otherwise; there are no others in a plan.
	Settings                  map[string]json.RawMessage
	RunSettings, StepSettings []string
}

// Step returns the step of that name, or nil.
func (p *Plan) Step(name string) *Step {
	for i := range p.Steps {
		if p.Steps[i].Name == name {
			return &p.Steps[i]
		}
	}
	return nil
}

// Image returns the image with that key, or nil.
func (p *Plan) Image(key string) *Image {
	for i := range p.Images {
		if p.Images[i].Key == key {
			return &p.Images[i]
		}
	}
	return nil
}

// ImageRef returns the built reference of the image with that key; empty if it is not built or not known.
func (p *Plan) ImageRef(key string) string {
	if i := p.Image(key); i != nil {
		return i.Ref
	}
	return ""
}

// CodeDigest returns the digest of the code in the artifact store that steps of an image run; empty if the image has it.
func (p *Plan) CodeDigest(key string) string {
	if i := p.Image(key); i != nil {
		return i.CodeDigest
	}
	return ""
}
