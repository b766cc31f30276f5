package step

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// The completion channel is HTTP over TLS from a launcher to its coordinator. The server's certificate is made for the
// run and is its own authority; its name is [ChannelServerName]. Every request carries "Authorization: Bearer " and the
// attempt's [Token].
//
//	POST /v1/attempts/{name}/started   no body: the runner is running
//	POST /v1/attempts/{name}/log?offset=N   raw bytes of the log from byte N on, in order
//	POST /v1/attempts/{name}/outcome   the Outcome as JSON, after it was stored; with ?more=1 the launcher wants more
//	GET  /v1/pods/{pod}/next?after=NAME   a Next as JSON, when the attempt after the one of that name is decided
//
// A pod's token is that of the attempt that it was made for, whose name it has. The last request is answered late: 204
// means "ask again", 410 that the pod is to end.
//
// A 2xx answer means that the coordinator has it. 401 means a wrong token, 404 an attempt that isn't expected.
const (
	ChannelServerName = "coordinator.proa.internal"
	// ChannelPort is the port the coordinator listens on in its pod.
	ChannelPort = 8443
)

// Next is the attempt that a pod is to run next. Until that one's outcome was told, the answer stays the same.
type Next struct {
	Attempt string `json:"attempt"`
}

// The environment of a launcher.
const (
	// AttemptEnv holds the attempt's name, RunEnv the run's id.
	AttemptEnv = "PROA_ATTEMPT"
	RunEnv     = "PROA_RUN"
	// AccessEnv holds the path of the Access file.
	AccessEnv = "PROA_ACCESS"
	// CoordinatorEnv holds the coordinator's host:port; empty or unset means that there is no completion channel.
	CoordinatorEnv = "PROA_COORDINATOR"
	// PodEnv holds the name of a pod that takes one attempt after the other; unset means that one is all.
	PodEnv = "PROA_POD"
	// ScratchEnv lists the folders, separated by colons, that such a pod has to itself: what an attempt leaves in them is
	// removed before the next one, and what it leaves in message queues and System V IPC if /dev/shm is among them. Unset means
	// that nothing is.
	ScratchEnv = "PROA_SCRATCH"
	// WorkEnv holds a folder for the launcher's temporary files; unset means TMPDIR or /tmp.
	WorkEnv = "PROA_WORK"
	// ParentEnv holds the number of an inherited file descriptor: the reading end of a pipe that the coordinator holds
	// open. When it closes, the coordinator is gone: the launcher ends the runner and stores no outcome, unless the step
	// had succeeded. Unset in pods.
	ParentEnv = "PROA_PARENT_FD"
	// ForksEnv holds the number of an inherited file descriptor: a socket on which the coordinator takes orders for forks
	// (see internal/forks). Unset means that the launcher starts runners by itself.
	ForksEnv = "PROA_FORKS_FD"
)

// Access is what a launcher needs to reach the outside. It is secret: a file with mode 0600 or a mounted Secret,
// removed from the environment that the user's code sees.
type Access struct {
	APIVersion string `json:"apiVersion"`
	Store      Store  `json:"store"`
	// Key makes the tokens of the completion channel.
	Key []byte `json:"key,omitempty"`
	// CA is the PEM certificate of the completion channel's server.
	CA []byte `json:"ca,omitempty"`
	// Secrets are the run's secrets, by name and key. A step is given those that its invocation names.
	Secrets map[string]map[string]string `json:"secrets,omitempty"`
}

// Store says how to open the artifact store. artifact.Open takes it.
type Store struct {
	// URL is "file:///path", "s3://bucket/prefix", "mem://".
	URL string `json:"url"`
	// Options are the flavor's attributes: endpoint, region, key, secret, token, path_style, profile.
	Options map[string]string `json:"options,omitempty"`
}

// Token returns the bearer token of an attempt: the hex HMAC-SHA256 of its name under the run's key.
func Token(key []byte, attempt string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(attempt))
	return hex.EncodeToString(mac.Sum(nil))
}

// Keys in the artifact store.

// InvocationKey is where the coordinator puts an attempt's Invocation.
func InvocationKey(run, attempt string) string { return attemptKey(run, attempt) + "invocation.json" }

// ClaimKey is where a launcher says, create-if-absent, that it begins the attempt. No other runs it then.
func ClaimKey(run, attempt string) string { return attemptKey(run, attempt) + "claim" }

// OutcomeKey is where the launcher puts the attempt's Outcome, create-if-absent.
func OutcomeKey(run, attempt string) string { return attemptKey(run, attempt) + "outcome.json" }

// LogKey is where the launcher puts the attempt's log: raw bytes, stdout and stderr interleaved as they came. The object
// is written once, whole, before the outcome.
//
// Objects can't be appended to, so a log that is still growing is kept in parts under [LogPartKey], numbered from 0 on.
// Only the last part changes: it is put again, longer, every few seconds, until it has [LogPartSize] bytes and the next
// one begins. A step that is over within seconds never has parts. Once the whole log is stored, the parts are deleted;
// those of a launcher that was killed stay. So a reader takes LogKey, and if that isn't there, parts 0, 1, 2, ... up to
// the first that is missing; if there is no part 0 either, it looks at LogKey once more before it believes that the
// attempt wrote nothing.
func LogKey(run, attempt string) string { return attemptKey(run, attempt) + "log" }

// LogPartKey is where part n of a growing log is; see [LogKey].
func LogPartKey(run, attempt string, n int) string {
	return LogKey(run, attempt) + "." + strconv.Itoa(n)
}

// LogPartSize is the size of every part of a log but the last.
const LogPartSize = 1 << 20

// CodeKey is where an archive of a user's code is, by its digest ("sha256:…"): a gzipped tar whose only folder at the top
// is [CodeFolder]. It belongs to no run.
func CodeKey(digest string) string { return "code/" + strings.ReplaceAll(digest, ":", "/") + ".tar.gz" }

// ScheduleKey is where it is kept what the runs of a schedule will need, as a [Frozen], so that it isn't taken for unused
// before there are such runs. The digest is that of the plan.
func ScheduleKey(context, namespace, name, digest string) string {
	return SchedulePrefix(context, namespace, name) + strings.ReplaceAll(digest, ":", "-") + ".json"
}

// SchedulePrefix begins the keys of a schedule.
func SchedulePrefix(context, namespace, name string) string {
	sum := sha256.Sum256([]byte(context + "\x00" + namespace + "\x00" + name))
	return SchedulesPrefix + hex.EncodeToString(sum[:16]) + "/"
}

// SchedulesPrefix begins the keys of all schedules.
const SchedulesPrefix = "schedules/"

// Frozen says of what the runs of a schedule will be made.
type Frozen struct {
	Schedule  string          `json:"schedule"`
	Stack     string          `json:"stack"`
	Context   string          `json:"context"`
	Namespace string          `json:"namespace"`
	Plan      json.RawMessage `json:"plan"`
}

// CodeFolder is the folder in an archive of code that holds all of it.
const CodeFolder = "app"

// RunPrefix begins the keys of all that belongs to a run alone.
func RunPrefix(run string) string { return "runs/" + run + "/" }

func attemptKey(run, attempt string) string { return RunPrefix(run) + "attempts/" + attempt + "/" }

// LogTimesKey is where the times of an attempt's log are: a line for each moment at which something was written, with the
// offset in the log and the time in milliseconds since 1970. Moments that are close together are one.
func LogTimesKey(run, attempt string) string { return LogKey(run, attempt) + ".times" }
