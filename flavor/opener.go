package flavor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/forks"
	metadatadriver "github.com/proa-ml/proa/metadata/driver"
	orchestratordriver "github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/secrets"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

// StoreOpener opens the stores of a stack.
type StoreOpener interface {
	// Artifacts says how to open the artifact store; artifact.Open takes it.
	Artifacts(ctx context.Context, s stack.Resolved) (step.Store, error)
	// Metadata connects to the metadata store.
	Metadata(ctx context.Context, s stack.Resolved) (metadatadriver.Store, error)
}

// SecretsOpener opens the secrets manager of a stack.
type SecretsOpener interface {
	// Secrets returns the stack's secrets manager. It contacts nothing.
	Secrets(ctx context.Context, s stack.Resolved) (*secrets.Manager, error)
	// Reveal returns a stack in which the attributes of components of the given kinds, or of all if none is given, are what
	// they refer to in its secrets manager. The other methods do that by themselves, each for what it opens.
	Reveal(ctx context.Context, s stack.Resolved, kinds ...stack.Kind) (stack.Resolved, error)
}

// Opener opens the components of a validated stack.
type Opener interface {
	StoreOpener
	SecretsOpener
	// Images returns the stack's image builder and the repository to push to. It contacts neither.
	Images(ctx context.Context, s stack.Resolved) (builder imagedriver.Builder, repository string, err error)
	// Local makes an orchestrator that runs in this process.
	Local(ctx context.Context, s stack.Resolved, p Process) (orchestratordriver.Orchestrator, error)
	// Remote makes the client's side of a remote orchestrator. It contacts nothing.
	Remote(p Place) (Remote, error)
	// Coordinator reads what the process of a coordinator was given where it runs.
	Coordinator() (Coordinator, error)
}

// Process is what a local orchestrator needs of the process it runs in.
type Process struct {
	// Launcher is the path of proa-step, Dir a folder for temporary files.
	Launcher, Dir string
	Access        step.Access
	// Offer is a process that steps can be forked from; nil if there is none.
	Offer *forks.Offer
}

// Place is where the runs of a stack are. Context and Namespace are empty for a local one; a remote one without a context is
// the cluster that this process itself runs in.
type Place struct {
	Flavor, Context, Namespace string
	// Store tells the artifact store of the stack from others. Schedules of different stores have nothing to do with each other.
	Store string
}

// Place says where the runs of a stack are.
func (c Catalogue) Place(s stack.Resolved) Place {
	orchestrator := s.Components[stack.Orchestrator]
	settings, err := c.Settings(orchestrator)
	if err != nil {
		return Place{Flavor: orchestrator.Flavor}
	}
	place := Place{orchestrator.Flavor, settings["kubernetes_context"], settings["kubernetes_namespace"], storeOf(s.Components[stack.ArtifactStore])}
	if settings.Bool(InCluster) {
		place.Context = ""
	}
	return place
}

// storeOf identifies an artifact store by where it is.
func storeOf(c stack.Component) string {
	hash := sha256.New()
	for _, name := range []string{"path", "endpoint", "account_name"} {
		_, _ = fmt.Fprintf(hash, "%q ", c.Attributes[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// Remote says whether runs of a place outlive the client.
func (c Catalogue) Remote(p Place) bool {
	f, err := c.Find(stack.Orchestrator, p.Flavor)
	return err == nil && f.Remote
}

// Remote is the client's side of an orchestrator whose coordinator runs elsewhere.
type Remote interface {
	// Check contacts the cluster.
	Check(ctx context.Context) error
	// Submit starts the coordinator of a run. Submitting a run again changes nothing.
	Submit(ctx context.Context, s Submission) error
	// Follow passes on the coordinator's output from its beginning, until the coordinator has ended, ctx has, or line
	// returns an error; io.EOF ends it without one. waiting is told why nothing comes.
	Follow(ctx context.Context, run string, line func([]byte) error, waiting func(string)) error
	// Permissions is the YAML of what runs, and those who start them, need there, for somebody who may create it.
	Permissions(p Permissions) (string, error)
	// Finish removes what a run that has ended leaves behind.
	Finish(ctx context.Context, run string) error
	// Sweep removes all that a run has there, also if it still runs.
	Sweep(ctx context.Context, run string) error
}

// Admitter is the power of a Remote that knows, before anything is built, which steps it would not be let run.
type Admitter interface {
	Admits(ctx context.Context, attempts []orchestratordriver.Attempt) error
}

// RegistryDoubter is the power of a Remote that knows of clusters on this machine whose nodes can't pull from everywhere.
type RegistryDoubter interface {
	// DoubtRegistry says why the nodes may not pull from the registry of that name, which is at an address of this machine, and
	// what to do; empty if nothing speaks against it.
	DoubtRegistry(ctx context.Context, name, host string) string
}

// DoubtRegistry says why the nodes of a stack's orchestrator may not pull from its registry, if that is at an address of this
// machine; empty if nothing speaks against it.
func (c Catalogue) DoubtRegistry(ctx context.Context, remote Remote, s stack.Resolved) string {
	registry := s.Components[stack.ContainerRegistry]
	doubter, ok := remote.(RegistryDoubter)
	f, err := c.Find(registry.Kind, registry.Flavor)
	if !ok || err != nil || f.Local == nil {
		return ""
	}
	settings, err := c.Settings(registry)
	if err != nil {
		return ""
	}
	host := f.Local(settings)
	if host == "" {
		return ""
	}
	return doubter.DoubtRegistry(ctx, registry.Name, host)
}

// Permissions says who is to be permitted what.
type Permissions struct {
	// For names the ends: runs, schedules, secrets, database, images.
	For []string
	// Builds is the namespace in which images are built; empty means the usual one.
	Builds string
	// Users, Groups and ServiceAccounts are those that are to be permitted it, the latter as NAMESPACE:NAME.
	Users, Groups, ServiceAccounts []string
}

// Submission is a run to start elsewhere.
type Submission struct {
	Run, RunName, Pipeline string
	// Image is the coordinator's by digest, and Args what it is started with.
	Image string
	Args  []string
	// Settings are the plan's for the run as a whole.
	Settings map[string]json.RawMessage
	// Config is for the coordinator alone. It is secret.
	Config []byte
	// PullConfig is what a Docker configuration file says of the images' registry, if the nodes need it. It is secret.
	PullConfig []byte
	// Store is where the run's pods find the artifact store. It is secret.
	Store step.Store
	// Secrets are those that steps are given, by name and key.
	Secrets map[string]map[string]string
}

// Coordinator is what the process of a coordinator was given.
type Coordinator struct {
	Run string
	// Holder names the process in the run's lease; it stays the same when the process is started again.
	Holder string
	// LastWords is the path of a file that outlives the process, if it is started again in the same place; empty if there is
	// none.
	LastWords string
	// Config is what was submitted.
	Config []byte
	// Open makes the orchestrator.
	Open func(ctx context.Context) (orchestratordriver.Orchestrator, error)
}

// Scheduler is the power of a Remote that starts runs by itself at given times.
type Scheduler interface {
	// Schedule makes a schedule of a submission, whose Run and RunName are empty, or changes the one of that name.
	Schedule(ctx context.Context, s Submission, schedule spec.Schedule, stack string) (created bool, err error)
	Schedules(ctx context.Context) ([]Scheduled, error)
	// ChangeSchedule changes when a schedule runs, or whether it is paused.
	ChangeSchedule(ctx context.Context, name string, change func(*Scheduled)) error
	// TriggerSchedule starts a run now and returns its id.
	TriggerSchedule(ctx context.Context, name string) (run string, err error)
	DeleteSchedule(ctx context.Context, name string) error
}

// Scheduled is a schedule as it is now.
type Scheduled struct {
	spec.Schedule
	Pipeline string    `json:"pipeline"`
	Stack    string    `json:"stack"`
	Paused   bool      `json:"paused"`
	Created  time.Time `json:"created,omitzero"`
	// Last is when a run was started last, Active are the names of the Jobs that run now.
	Last   time.Time `json:"last,omitzero"`
	Active []string  `json:"active,omitempty"`
}
