package kit

import (
	"context"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
)

// Stores are the stores of the stack in force, for commands that read.
type Stores struct {
	Stack     stack.Resolved
	Metadata  driver.Store
	Artifacts *artifact.Store
}

// Close closes what is open.
func (s Stores) Close() error {
	var errs []error
	if s.Metadata != nil {
		errs = append(errs, s.Metadata.Close())
	}
	if s.Artifacts != nil {
		errs = append(errs, s.Artifacts.Close())
	}
	return errors.Join(errs...)
}

// OpenMetadata opens the metadata store of the stack in force.
func (k *Kit) OpenMetadata(ctx context.Context) (Stores, error) {
	resolved, err := k.StackToRead()
	if err != nil {
		return Stores{}, err
	}
	return k.openMetadata(ctx, resolved)
}

func (k *Kit) openMetadata(ctx context.Context, resolved stack.Resolved) (Stores, error) {
	metadata, err := k.Opener.Metadata(ctx, resolved)
	if err != nil {
		return Stores{}, unusable(resolved, stack.MetadataStore, err)
	}
	return Stores{Stack: resolved, Metadata: metadata}, nil
}

// OpenArtifacts opens the artifact store of the stack in force.
func (k *Kit) OpenArtifacts(ctx context.Context) (Stores, error) {
	resolved, err := k.StackToRead()
	if err != nil {
		return Stores{}, err
	}
	stores := Stores{Stack: resolved}
	return stores, k.addArtifacts(ctx, &stores)
}

// OpenStores opens both stores of the stack in force.
func (k *Kit) OpenStores(ctx context.Context) (Stores, error) {
	resolved, err := k.StackToRead()
	if err != nil {
		return Stores{}, err
	}
	return k.openStores(ctx, resolved)
}

func (k *Kit) openStores(ctx context.Context, resolved stack.Resolved) (Stores, error) {
	stores, err := k.openMetadata(ctx, resolved)
	if err != nil {
		return stores, err
	}
	if err := k.addArtifacts(ctx, &stores); err != nil {
		return Stores{}, errors.Join(err, stores.Close())
	}
	return stores, nil
}

func (k *Kit) addArtifacts(ctx context.Context, stores *Stores) error {
	cfg, err := k.Opener.Artifacts(ctx, stores.Stack)
	if err != nil {
		return err
	}
	if stores.Artifacts, err = artifact.Open(ctx, cfg, nil); err != nil {
		return unusable(stores.Stack, stack.ArtifactStore, err)
	}
	return nil
}

func unusable(s stack.Resolved, kind stack.Kind, err error) error {
	name := s.Components[kind].Name
	return fault.With(fault.Infrastructure, fmt.Sprintf("look at `proa %s describe %s`", kind, name),
		fmt.Errorf("the %s %q can't be used: %w", kind.Words(), name, err))
}

// NoRun gives the error of a run that doesn't exist its hint.
func NoRun(err error, name, stackName string) error {
	if !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return fault.New(fault.Usage, "`proa runs list` shows the runs; another stack may have it (`proa stack list`)",
		"there is no run %q in the metadata store of the stack %q", name, stackName)
}
