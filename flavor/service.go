package flavor

import (
	"context"
	"io"

	"github.com/proa-ml/proa/stack"
)

// Service is a component that proa itself runs somewhere, such as a database in a cluster. Its methods may be called
// again at any time: what is done already is not done twice.
type Service interface {
	// Up makes what is missing, starts it and returns when it serves. waiting is told why it doesn't yet.
	Up(ctx context.Context, waiting func(reason string)) error
	// Down stops it and keeps its data.
	Down(ctx context.Context, waiting func(reason string)) error
	// Remove removes it with its data.
	Remove(ctx context.Context, waiting func(reason string)) error
	// Contents says what Remove would remove.
	Contents() string
	// Logs prints what it writes, and with follow what it goes on to write until ctx ends.
	Logs(ctx context.Context, out io.Writer, follow bool) error
}

// ServiceOpener is an optional power of an [Opener]: some of its components are services.
type ServiceOpener interface {
	// Service returns a component as a service, and nil if there is nothing to start. It contacts nothing.
	Service(c stack.Component) (Service, error)
}

// ServiceOf returns a component as a service, and nil if there is nothing to start.
func ServiceOf(o Opener, c stack.Component) (Service, error) {
	if services, ok := o.(ServiceOpener); ok {
		return services.Service(c)
	}
	return nil, nil
}

// NetworkOpener is an optional power of an [Opener]: the network of a stack's runs can be closed.
type NetworkOpener interface {
	// NetworkPolicies is the YAML of what lets through only what the stack's runs need.
	NetworkPolicies(ctx context.Context, s stack.Resolved) (string, error)
}

// InsideOpener is an optional power of an [Opener]: some of its components are reached in another way from within a cluster.
type InsideOpener interface {
	// Inside returns a stack as the pods of its orchestrator have to be told of it. The result is secret.
	Inside(ctx context.Context, s stack.Resolved) (stack.Resolved, error)
}

// Inside returns a stack as the pods of its orchestrator have to be told of it. The result is secret.
func Inside(ctx context.Context, o Opener, s stack.Resolved) (stack.Resolved, error) {
	if inside, ok := o.(InsideOpener); ok {
		return inside.Inside(ctx, s)
	}
	return s, nil
}
