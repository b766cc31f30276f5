package kit

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/stack"
)

// ignoreCouplings names the variables that let any stores be used together.
var ignoreCouplings = []string{"PROA_IGNORE_STORE_COUPLINGS", "ZENML_IGNORE_STORE_COUPLINGS"}

// PairStores makes a stack's stores belong together at their first use in a run, and refuses those that are others'.
func (k *Kit) PairStores(ctx context.Context, s stack.Resolved, artifacts *artifact.Store, metadata driver.Store) error {
	if k.ignoresCouplings() {
		return run.Share(ctx, artifacts, metadata, k.Rand)
	}
	return coupled(s, run.Pair(ctx, artifacts, metadata, k.Rand))
}

// CheckPair says whether a stack's stores could be used together in a run. It changes nothing.
func (k *Kit) CheckPair(ctx context.Context, s stack.Resolved) (err error) {
	if k.ignoresCouplings() {
		return nil
	}
	stores, err := k.openStores(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	return coupled(s, run.CheckPair(ctx, stores.Artifacts, stores.Metadata))
}

// Decouple makes a stack's stores belong to nobody, so that its next run makes them belong together.
func (k *Kit) Decouple(ctx context.Context, s stack.Resolved) (err error) {
	stores, err := k.openStores(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	return run.Unpair(ctx, stores.Artifacts, stores.Metadata)
}

func (k *Kit) ignoresCouplings() bool {
	for _, name := range ignoreCouplings {
		if ignore, err := strconv.ParseBool(k.Env(name)); err == nil && ignore {
			return true
		}
	}
	return false
}

// coupled says which of a stack's stores is another's, and what to do.
func coupled(s stack.Resolved, err error) error {
	var foreign *run.ForeignError
	if !errors.As(err, &foreign) {
		return err
	}
	artifacts, metadata := s.Components[stack.ArtifactStore], s.Components[stack.MetadataStore]
	taken := stack.MetadataStore
	if foreign.Artifacts {
		taken = stack.ArtifactStore
	}
	hint := fmt.Sprintf("register a new %s, with a place of its own, and use it: `proa stack update %s --%s=NAME`; or pair these two and give the former partner up: `proa stack update %[2]s --decouple_stores`",
		taken.Words(), s.Name, taken)
	return fault.New(fault.Configuration, hint,
		"the %s %q and the %s %q of the stack %q don't belong together: %w",
		artifacts.Kind.Words(), artifacts.Name, metadata.Kind.Words(), metadata.Name, s.Name, foreign)
}
