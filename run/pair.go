package run

import (
	"context"
	"errors"
	"io"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
)

// ForeignError means that two stores don't belong together: one of them is another's.
type ForeignError struct {
	// Artifacts: the artifact store belongs to another metadata store. Metadata: the metadata store belongs to another
	// artifact store. At least one is true.
	Artifacts, Metadata bool
}

func (e *ForeignError) Error() string {
	switch {
	case e.Artifacts && e.Metadata:
		return "the artifact store belongs to another metadata store, and the metadata store to another artifact store, from earlier runs"
	case e.Artifacts:
		return "the artifact store belongs to another metadata store, which knows what is in it"
	}
	return "the metadata store belongs to another artifact store, which holds what it knows of"
}

// Pair makes an artifact store and a metadata store belong together at their first use, since what one knows of is in the
// other. It returns a *ForeignError, and changes nothing, if one of them is another's already.
func Pair(ctx context.Context, artifacts *artifact.Store, metadata driver.Identifier, random io.Reader) error {
	var proposed [2]string
	for i := range proposed {
		id, err := randomHex(random)
		if err != nil {
			return err
		}
		proposed[i] = id
	}
	a, m, err := identities(ctx, artifacts, metadata, proposed)
	if err != nil {
		return err
	}
	if err := foreign(a, m); err != nil {
		return err
	}
	if a.Metadata == "" {
		if a.Metadata, err = artifacts.Pair(ctx, m.ID); err != nil {
			return err
		}
	}
	if m.Artifacts == "" && a.Metadata == m.ID {
		if m, err = metadata.Pair(ctx, "", a.ID); err != nil {
			return err
		}
	}
	return foreign(a, m)
}

// Share is Pair for stores that are to be used together whoever they belong to. If they don't belong together, the artifact
// store keeps in mind that one metadata store more knows of what is in it.
func Share(ctx context.Context, artifacts *artifact.Store, metadata driver.Identifier, random io.Reader) error {
	err := Pair(ctx, artifacts, metadata, random)
	var foreign *ForeignError
	if !errors.As(err, &foreign) {
		return err
	}
	m, err := metadata.Identity(ctx, "") // Pair has given it one
	if err != nil {
		return err
	}
	return artifacts.Share(ctx, m.ID)
}

// CheckPair says whether Pair would return a *ForeignError. It changes nothing.
func CheckPair(ctx context.Context, artifacts *artifact.Store, metadata driver.Identifier) error {
	a, m, err := identities(ctx, artifacts, metadata, [2]string{})
	if err != nil {
		return err
	}
	return foreign(a, m)
}

// Unpair makes both stores belong to nobody, so that the next run pairs them anew.
func Unpair(ctx context.Context, artifacts *artifact.Store, metadata driver.Identifier) error {
	if err := artifacts.Unpair(ctx); err != nil {
		return err
	}
	m, err := metadata.Identity(ctx, "")
	if err != nil || m.Artifacts == "" {
		return err
	}
	if m, err = metadata.Pair(ctx, m.Artifacts, ""); err == nil && m.Artifacts != "" {
		err = errors.New("taking the metadata store from its artifact store: somebody else has paired it in the meantime")
	}
	return err
}

// identities reads who the stores are; one that is nobody takes its proposed id.
func identities(ctx context.Context, artifacts *artifact.Store, metadata driver.Identifier, proposed [2]string) (artifact.Identity, driver.Identity, error) {
	a, err := artifacts.Identity(ctx, proposed[0])
	if err != nil {
		return a, driver.Identity{}, err
	}
	m, err := metadata.Identity(ctx, proposed[1])
	return a, m, err
}

// foreign compares what two stores say of each other.
func foreign(a artifact.Identity, m driver.Identity) error {
	e := &ForeignError{Artifacts: a.Metadata != "" && a.Metadata != m.ID, Metadata: m.Artifacts != "" && m.Artifacts != a.ID}
	if e.Artifacts || e.Metadata {
		return e
	}
	return nil
}
