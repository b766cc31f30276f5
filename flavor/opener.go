package flavor

import (
	"context"

	imagedriver "github.com/proa-ml/proa/image/driver"
	metadatadriver "github.com/proa-ml/proa/metadata/driver"
	orchestratordriver "github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

// Opener opens the components of a validated stack. Opening contacts what it has to and no more.
type Opener interface {
	// Artifacts says how to open the artifact store.
	Artifacts(s stack.Resolved) (step.Store, error)
	Metadata(ctx context.Context, s stack.Resolved) (metadatadriver.Store, error)
	// Images returns the stack's builder and the repository to push to.
	Images(s stack.Resolved) (builder imagedriver.Builder, repository string, err error)
	// Target says what to plan for.
	Target(s stack.Resolved) (plan.Target, error)
	// Local opens an orchestrator that runs in this process; ok is false if the stack's is a remote one.
	Local(s stack.Resolved, access step.Access) (o orchestratordriver.Orchestrator, ok bool, err error)
	// Remote opens the client's side of a remote orchestrator.
	Remote(s stack.Resolved) (Remote, error)
}

// Remote is the client's side of an orchestrator whose coordinator runs elsewhere.
type Remote interface {
	// Check contacts the cluster.
	Check(ctx context.Context) error
	// Submit starts the coordinator of a run. Submitting a run again changes nothing.
	Submit(ctx context.Context, s Submission) error
	// Follow passes on the coordinator's output from its beginning, line by line, until the coordinator has ended or ctx
	// has. notice is told why nothing comes.
	Follow(ctx context.Context, run string, line func([]byte), notice func(string)) error
	// Sweep removes all that a run left behind.
	Sweep(ctx context.Context, run string) error
}

// Submission is a run to start elsewhere.
type Submission struct {
	Run, RunName, Pipeline string
	// Image is the coordinator's by digest, and Args what it is started with.
	Image string
	Args  []string
	// Config is for the coordinator alone. It is secret.
	Config []byte
	// Store is where the run's pods find the artifact store. It is secret.
	Store step.Store
}

// Place is where the runs of a remote stack are.
type Place struct {
	Flavor, Context, Namespace string
}

// Place says where the runs of a stack are.
func (c Catalogue) Place(s stack.Resolved) Place {
	orchestrator := s.Components[stack.Orchestrator]
	settings, err := c.Settings(orchestrator)
	if err != nil {
		return Place{Flavor: orchestrator.Flavor}
	}
	return Place{orchestrator.Flavor, settings["kubernetes_context"], settings["kubernetes_namespace"]}
}
