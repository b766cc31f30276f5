package launch

import (
	"context"
	"fmt"

	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

// storeCode brings the code of an image's steps to the artifact store, if that is where they take it from.
func (l *launch) storeCode(ctx context.Context, builder imagedriver.Builder, wanted *plan.Image, r imagedriver.Request) error {
	if wanted.Code != spec.CodeStore {
		return nil
	}
	packer, ok := builder.(imagedriver.Packer)
	if !ok {
		return fault.New(fault.Configuration, "leave code out of the docker settings", "the stack's image builder can't pack code for the artifact store")
	}
	stage := l.view.Stage("code")
	defer stage.Done("")
	r.Code = r.Root
	archive, err := packer.Pack(ctx, r, stage)
	if err != nil {
		return l.buildFailed("packing the code", err)
	}
	if err := l.artifacts.PutFile(ctx, step.CodeKey(archive.Digest), archive.Path); err != nil {
		return l.broken(stack.ArtifactStore, fmt.Errorf("storing the code: %w", err))
	}
	wanted.CodeDigest = archive.Digest
	return nil
}
