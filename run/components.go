package run

import (
	"context"
	"io"

	"github.com/proa-ml/proa/artifact"
	mdriver "github.com/proa-ml/proa/metadata/driver"
	odriver "github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// Components are what a run needs, opened.
type Components struct {
	Artifacts    Artifacts
	Metadata     mdriver.Store
	Orchestrator odriver.Orchestrator
}

// Artifacts is what the engine needs of an artifact store. Errors wrap artifact.ErrNotFound and artifact.ErrUnavailable.
type Artifacts interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Reader(ctx context.Context, key string) (io.ReadCloser, error)
	// Manifest returns the manifest of an artifact; Exists also looks whether all it lists is there.
	Manifest(ctx context.Context, digest string) (step.Manifest, error)
	Exists(ctx context.Context, digest string) (bool, error)
}

var _ Artifacts = (*artifact.Store)(nil)
