// Package step is the container contract: what a launcher is told, what it answers, and the names, keys and exit
// codes that both sides rely on. It does no I/O.
//
// One attempt of a step goes like this. The coordinator writes an [Invocation] to the artifact store under
// [InvocationKey] and starts a container (or a process) whose PID 1 is the launcher, proa-step. The launcher reads the
// invocation, puts its [ClaimKey] so that no other runs the attempt, too, fetches the inputs, writes a [Request] for the language runner, runs the runner, reads its [Result],
// uploads outputs and log, and writes the [Outcome] under [OutcomeKey] with a create-if-absent: the first outcome
// counts, and there is never a second. Last, it tells the coordinator through the completion channel (channel.go).
package step

import (
	"encoding/json"
	"time"

	"github.com/proa-ml/proa/spec"
)

// Invocation is everything one attempt has to know. It holds no secret.
type Invocation struct {
	APIVersion string `json:"apiVersion"`
	// Run is the run's id; RunName is what the user calls it.
	Run      string `json:"run"`
	RunName  string `json:"runName"`
	Pipeline string `json:"pipeline"`
	Step     string `json:"step"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
	// Name is the attempt's own name: deterministic, DNS-1123, unique in the namespace.
	Name string `json:"name"`
	// Command is the runner to execute, such as ["python", "-m", "proa.runner"].
	Command []string `json:"command"`
	// Dir is the directory to run it in: the root of the user's code.
	Dir string `json:"dir"`
	// Code is the digest ("sha256:…") of the user's code in the artifact store, under [CodeKey]; empty if the image has it.
	// The launcher unpacks it, and runs the runner in its folder rather than in Dir.
	Code string `json:"code,omitempty"`
	// Env is added to the launcher's environment for the runner.
	Env        map[string]string          `json:"env,omitempty"`
	Source     string                     `json:"source"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	Inputs     map[string]Artifact        `json:"inputs,omitempty"`
	Outputs    []spec.Output              `json:"outputs,omitempty"`
	// Secrets names those of the launcher's Access that the step is given.
	Secrets []string `json:"secrets,omitempty"`
	// Timeout bounds the runner's run time; 0 means none.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Grace is how long the runner may take to end after SIGTERM before it is killed.
	Grace time.Duration `json:"grace,omitempty"`
}

// Status is how an attempt ended.
type Status string

// The statuses of an Outcome.
const (
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	// Cancelled: the launcher was told to end (SIGTERM) and the step had not succeeded by then. The launcher can't know
	// why: a coordinator that didn't ask for it takes it as an infrastructure failure (drained, preempted, deleted).
	Cancelled Status = "cancelled"
)

// Outcome is what became of one attempt.
type Outcome struct {
	APIVersion string              `json:"apiVersion"`
	Run        string              `json:"run"`
	Step       string              `json:"step"`
	Attempt    int                 `json:"attempt"`
	Name       string              `json:"name"`
	Status     Status              `json:"status"`
	Outputs    map[string]Artifact `json:"outputs,omitempty"`
	// ExitCode and Signal are the user's process's own, as far as it ran.
	ExitCode int      `json:"exitCode"`
	Signal   string   `json:"signal,omitempty"`
	Failure  *Failure `json:"failure,omitempty"`
	Usage    Usage    `json:"usage"`
	// Log is the key of the log object in the artifact store; empty if nothing was written.
	Log     string    `json:"log,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	// Times say more of where the time went; nil if nothing is known.
	Times *Times `json:"times,omitempty"`
}

// Times are the moments between the parts of an attempt, by the clock of the machine that it ran on. One that wasn't reached,
// or isn't known, is zero.
type Times struct {
	// Received is when the launcher began with the attempt. Inputs are fetched, code is imported and inputs are loaded until
	// Called, when the step's own code begins. It ends when it has Returned. Outputs are saved and, with the log, in the
	// artifact store when they are Stored.
	Received time.Time `json:"received,omitzero"`
	Called   time.Time `json:"called,omitzero"`
	Returned time.Time `json:"returned,omitzero"`
	Stored   time.Time `json:"stored,omitzero"`
}

// Usage is what an attempt cost.
type Usage struct {
	Wall time.Duration `json:"wall"`
	CPU  time.Duration `json:"cpu"`
	// PeakRSS is in bytes.
	PeakRSS int64 `json:"peakRSS"`
}

// Artifact points at a stored artifact. It is small enough to travel in messages and database rows.
type Artifact struct {
	// Digest is "sha256:…" of the canonical JSON of the artifact's Manifest, which is stored as a blob of that digest.
	// Equal values have equal digests, so cache keys are made of it.
	Digest       string `json:"digest"`
	Type         string `json:"type"`
	Materializer string `json:"materializer"`
	// Size is the sum of the files' sizes in bytes.
	Size int64 `json:"size"`
	// Preview is one short line for people, such as "ndarray (898, 64) float64".
	Preview string `json:"preview,omitempty"`
}

// Manifest lists what an artifact is made of. An output is visible only once its manifest is stored.
type Manifest struct {
	APIVersion   string `json:"apiVersion"`
	Type         string `json:"type"`
	Materializer string `json:"materializer"`
	// Files are sorted by path.
	Files   []File `json:"files"`
	Preview string `json:"preview,omitempty"`
}

// File is one file, or one empty directory, of an artifact.
type File struct {
	// Path is relative, with slashes, and never leaves the artifact's directory.
	Path string `json:"path"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// Digest is "sha256:…" of the content; empty for a directory.
	Digest string `json:"digest,omitempty"`
	// Inline is the content of a small file, which then has no blob.
	Inline []byte `json:"inline,omitempty"`
	// Executable and Dir mark what else a file system keeps that matters.
	Executable bool `json:"executable,omitempty"`
	Dir        bool `json:"dir,omitempty"`
}
