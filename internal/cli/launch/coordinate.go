package launch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
	"github.com/spf13/cobra"
)

// coordinatorConfig is what a client tells the coordinator. It is secret.
type coordinatorConfig struct {
	Stack stack.Resolved `json:"stack"`
	// Store is the stack's artifact store as the client opens it: with the content of files that only the client has.
	Store    step.Store  `json:"store"`
	Settings runSettings `json:"settings"`
	// Schedule is what started the coordinator; nil if it was a client, which then has made the run.
	Schedule *schedule `json:"schedule,omitempty"`
}

// NewCoordinate makes `proa coordinate`, which is what a coordinator's pod runs. It exits with 0 once the run has ended,
// in whatever way, and with another code if it has to be started again.
func NewCoordinate(k *kit.Kit) *cobra.Command {
	return &cobra.Command{
		Use: "coordinate", Hidden: true, Short: "Drive a run from within the cluster", Args: kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			interrupt := watchInterrupts(cmd.Context(), k.TakeInterrupts())
			defer interrupt.stop()
			return coordinate(interrupt.first, k)
		},
	}
}

func coordinate(ctx context.Context, k *kit.Kit) (err error) {
	k.TrustRoots()
	in, err := k.Opener.Coordinator()
	if err != nil {
		return err
	}
	before, words := openLastWords(in.LastWords)
	defer func() { words.say(err) }()
	var config coordinatorConfig
	if err := strict.JSON(in.Config, &config); err != nil {
		return errors.New("the coordinator's configuration can't be read: it is of another version of proa")
	}
	parts, closeAll, err := openParts(ctx, k, in, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if config.Schedule != nil {
		due, err := config.Schedule.begin(ctx, parts.Metadata, in.Run, run.CreateOptions{Now: k.Now})
		if err != nil || !due {
			return err
		}
	}
	options := config.Settings.engine()
	options.Now, options.Rand, options.Holder, options.Observer = k.Now, k.Rand, in.Holder, run.NewLineObserver(k.Out)
	options.Before = func(ctx context.Context) string { return formerEnd(ctx, parts.Orchestrator, before) }
	// The cluster gives the run a place when the last coordinator has ended, is about to, or can't be reached, so there is no
	// lease to wait for; and should one live on unseen, it is fenced. But one that is started again where it was may be the
	// one that was replaced, and doesn't take the run back.
	options.Force = before == ""
	_, err = run.Execute(ctx, parts, in.Run, &options)
	if err != nil && ctx.Err() != nil {
		return &fault.Error{Code: fault.Cancelled, Err: errors.New("it was told to end, and left the run to another coordinator"), Told: true}
	}
	return err
}

// formerEnd says how the coordinator before ended: in its own words or, if it could say nothing, in those of the orchestrator.
func formerEnd(ctx context.Context, orchestrator any, words string) string {
	o, knows := orchestrator.(interface {
		Former(ctx context.Context, samePlace bool) string
	})
	if !knows || words != "" && words != silence {
		return words
	}
	return cmp.Or(o.Former(ctx, words == silence), words)
}

func openParts(ctx context.Context, k *kit.Kit, in flavor.Coordinator, config coordinatorConfig) (parts run.Components, closeAll func() error, err error) {
	artifacts, err := artifact.Open(ctx, config.Store, nil)
	if err != nil {
		return parts, nil, err
	}
	metadata, err := k.Opener.Metadata(ctx, config.Stack)
	if err != nil {
		return parts, nil, errors.Join(err, artifacts.Close())
	}
	orchestrator, err := in.Open(ctx)
	if err != nil {
		return parts, nil, errors.Join(fmt.Errorf("opening the orchestrator: %w", err), metadata.Close(), artifacts.Close())
	}
	parts = run.Components{Artifacts: artifacts, Metadata: metadata, Orchestrator: orchestrator}
	return parts, func() error { return errors.Join(orchestrator.Close(), metadata.Close(), artifacts.Close()) }, nil
}

// ending is an observer that remembers the run's end.
type ending struct {
	run.Observer
	status run.Status
	events int
}

func (e *ending) Event(r run.Recorded) {
	e.events++
	if end, ok := r.Event.(run.RunEnded); ok {
		e.status = end.Status
	}
	e.Observer.Event(r)
}

// newLine makes a reader of one line.
func newLine(line []byte) io.Reader { return bytes.NewReader(append(bytes.Clone(line), '\n')) }
