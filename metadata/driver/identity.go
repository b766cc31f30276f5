package driver

import "context"

// Identity is who a metadata store is, and which artifact store it belongs to: the outputs that it knows of are there.
type Identity struct {
	// ID is random, of lower-case hex.
	ID string
	// Artifacts is the identity of the artifact store; empty until there is one.
	Artifacts string
}

// Identifier tells stores apart.
type Identifier interface {
	// Identity returns the store's identity. A store that has none takes the proposed ID, and of several proposals at once
	// exactly one; where none is proposed it stays without, and the answer is the zero Identity.
	Identity(ctx context.Context, proposed string) (Identity, error)
	// Pair makes the store that belongs to the artifact store from (none, if empty) belong to the artifact store to, and
	// returns what is so now. If it doesn't belong to from, nothing changes. ErrNotFound if the store has no identity.
	Pair(ctx context.Context, from, to string) (Identity, error)
}
