// Package spec holds the versioned description of a pipeline: the value an SDK writes and every later stage reads.
//
// A spec says what a pipeline is, never where it runs. It is strict JSON: an unknown field is an error that names
// the field and the nearest known one, so that a misspelt setting can't be silently ignored.
package spec

import (
	"encoding/json"
)

// APIVersion is the version of the spec, and of the other JSON documents that proa's parts exchange.
const APIVersion = "proa/v1"

// Kind is the only kind of document this version knows.
const Kind = "Pipeline"

// Pipeline is a whole pipeline: its steps and how they depend on each other.
type Pipeline struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Name is free text: any length, any script. Names of cluster objects are derived from it.
	Name   string `json:"name"`
	Source Source `json:"source"`
	// Parameters are the arguments the pipeline function was called with, kept for the record.
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	// Cache turns caching off (false) or on (true) for every step that doesn't say itself; nil means on.
	Cache    *bool     `json:"cache,omitempty"`
	Settings *Settings `json:"settings,omitempty"`
	// Secrets names the secrets that every step is given, besides its own.
	Secrets []string `json:"secrets,omitempty"`
	// Schedule has the pipeline run again and again instead of now; nil means now.
	Schedule *Schedule `json:"schedule,omitempty"`
	Steps    []Step    `json:"steps"`
}

// Schedule says when a pipeline is run.
type Schedule struct {
	// Name identifies the schedule in its namespace; empty means the pipeline's name.
	Name string `json:"name,omitempty"`
	// CronExpression is minute, hour, day of the month, month and day of the week, or such as "@daily".
	CronExpression string `json:"cron_expression"`
	// Timezone is where the expression's hours are, such as "Europe/Berlin"; empty means the cluster's, mostly UTC.
	Timezone string `json:"timezone,omitempty"`
	// StartTime and EndTime bound the time in which runs are started, as in RFC 3339; empty means no bound.
	StartTime string `json:"start_time,omitempty"`
	EndTime   string `json:"end_time,omitempty"`
	// Catchup starts one run for what was missed, whenever the cluster can again; otherwise what is late is left out.
	Catchup bool `json:"catchup,omitempty"`
	// Concurrency says what happens if the run before still goes on: "forbid" (the default) leaves the new one out, "allow"
	// runs both, "replace" ends the old one.
	Concurrency string `json:"concurrency,omitempty"`
}

// Source says where the user's code is on the machine that wrote the spec.
type Source struct {
	// Root is the absolute path of the folder that holds the user's code; steps import their modules relative to it.
	Root string `json:"root"`
	// Main is the script that was run, relative to Root.
	Main string `json:"main"`
	// Python is the version of the interpreter that wrote the spec, such as "3.11.7".
	Python string `json:"python,omitempty"`
	// Interpreter is the absolute path of that interpreter; local steps run with it.
	Interpreter string `json:"interpreter,omitempty"`
	// Code says what the code behind each digest of the steps is made of: "module:name" of a function, class or value, or
	// "import module.name", with a short digest of its own. It is for people who ask what has changed; nothing is made of it.
	Code map[string]map[string]string `json:"code,omitempty"`
}

// Step is one node of the graph.
type Step struct {
	Name string `json:"name"`
	Run  Run    `json:"run"`
	// Inputs are arguments that come from artifacts, by argument name.
	Inputs map[string]Input `json:"inputs,omitempty"`
	// Parameters are arguments given as literal JSON values, by argument name.
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	Outputs    []Output                   `json:"outputs,omitempty"`
	// After names steps that must have succeeded before this one starts, without passing data.
	After []string `json:"after,omitempty"`
	Cache *bool    `json:"cache,omitempty"`
	Retry *Retry   `json:"retry,omitempty"`
	// Timeout bounds the run time of one attempt (not its waiting), as a Go duration such as "90s" or "2h".
	Timeout   string     `json:"timeout,omitempty"`
	Resources *Resources `json:"resources,omitempty"`
	Settings  *Settings  `json:"settings,omitempty"`
	// Secrets names the secrets, in the stack's secrets manager, that the step is given.
	Secrets []string `json:"secrets,omitempty"`
}

// Run says what a step executes. Exactly one field is set.
type Run struct {
	Python *Python `json:"python,omitempty"`
}

// Python is a function to import and call.
type Python struct {
	// Source is "module:qualname", importable with Source.Root on the path.
	Source string `json:"source"`
	// Digest is "sha256:…" over the code whose change must invalidate cached results.
	Digest string `json:"digest"`
}

// Input is where an argument's value comes from: another step's output, or an artifact that exists already.
type Input struct {
	Step   string `json:"step,omitempty"`
	Output string `json:"output,omitempty"`
	// Artifact is the digest ("sha256:…") of an existing artifact's manifest.
	Artifact string `json:"artifact,omitempty"`
}

// Output declares one output of a step.
type Output struct {
	Name string `json:"name"`
	// Type is the annotated type, "module.qualname"; empty means that the value decides.
	Type string `json:"type,omitempty"`
	// Materializer is "module:Class" of the materializer to save with; empty means that the type decides.
	Materializer string `json:"materializer,omitempty"`
	// Digest is "sha256:…" over a custom materializer's source; empty for the built-in ones.
	Digest string `json:"digest,omitempty"`
}

// Retry says how often and when a failed attempt is tried again. Failures of the infrastructure have a budget of their own.
type Retry struct {
	// Max is the number of further attempts after the first.
	Max int `json:"max"`
	// Delay is the wait before the second attempt, as a Go duration.
	Delay string `json:"delay,omitempty"`
	// Factor multiplies the wait from one attempt to the next; 0 means 1.
	Factor float64 `json:"factor,omitempty"`
	// Cap bounds the wait, as a Go duration.
	Cap string `json:"cap,omitempty"`
	// On are the kinds of failure after which to try again: "user", "oom", "timeout", "image", "unschedulable" or "config";
	// empty means the first three, which may end otherwise the next time.
	On []string `json:"on,omitempty"`
	// Infrastructure is the number of further attempts after failures that are not the user's doing; nil means 3.
	Infrastructure *int `json:"infrastructure,omitempty"`
	// OnOOM tries an attempt that ran out of memory again with more of it, besides Max.
	OnOOM *OnOOM `json:"on_oom,omitempty"`
}

// OnOOM says how the memory of a step's attempts grows. The step's own resources say what the first one has.
type OnOOM struct {
	// MemoryFactor multiplies the memory from one attempt to the next; 0 means 2.
	MemoryFactor float64 `json:"memory_factor,omitempty"`
	// MaxMemory is the most that an attempt may have, in Kubernetes notation ("16Gi").
	MaxMemory string `json:"max_memory"`
}

// Resources are what one attempt of a step asks for. Quantities are in Kubernetes notation ("500m", "2Gi").
type Resources struct {
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	GPU    int    `json:"gpu,omitempty"`
	// GPUResource is the name under which nodes offer what GPU counts; empty means "nvidia.com/gpu".
	GPUResource string `json:"gpu_resource,omitempty"`
	// EphemeralStorage is room on the node's disk, SharedMemory the size of /dev/shm.
	EphemeralStorage string `json:"ephemeral_storage,omitempty"`
	SharedMemory     string `json:"shared_memory,omitempty"`
}

// Settings tune how a pipeline or a step is built and run. A step's settings go before its pipeline's.
type Settings struct {
	Docker *Docker `json:"docker,omitempty"`
	// Orchestrator holds settings of the stack's orchestrator, checked against its flavor's schema.
	Orchestrator map[string]json.RawMessage `json:"orchestrator,omitempty"`
}
