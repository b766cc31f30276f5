package run

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Options are Execute's. The zero value of each field means its default.
type Options struct {
	// Now is the clock; nil means the machine's.
	Now func() time.Time
	// Rand makes the name of the holder; nil means the system's secure source.
	Rand io.Reader
	// Holder names this coordinator in the run's lease. A restarted coordinator of the same name goes on at once; one of
	// another name waits until the lease has expired. The default is a random name.
	Holder string
	// Before says how the coordinator before this one ended, as far as that is known. It is asked only if there was one; nil
	// means that nothing is known.
	Before func(context.Context) string
	// Force takes the lease in any case: the caller knows that its holder is gone.
	Force bool
	// LeaseTTL is how long the run is safe from other coordinators after a renewal (15 s); Renew is the time between
	// renewals (2.5 s), and so the time that a cancel requested in the metadata store may take to be noticed.
	LeaseTTL, Renew time.Duration
	// CancelOn ends the run gracefully when it is closed or sent to: attempts are stopped, and the run ends as cancelled.
	// (Cancelling the context instead leaves the run as it is, for another coordinator.)
	CancelOn <-chan struct{}
	// Grace is the time a stopped attempt has between SIGTERM and SIGKILL (10 s).
	Grace time.Duration
	// Mode and MaxParallelism (0: no limit) count when the run starts; who goes on with it keeps them.
	Mode           Mode
	MaxParallelism int
	// Deadline is how long the run may take before what runs is stopped and the run fails; 0 means for ever. It counts from
	// the run's start, whoever goes on with it.
	Deadline time.Duration
	// Observer is told what happens; nil means nobody.
	Observer Observer
	// Logger is for those who debug the engine; nil means silence.
	Logger *slog.Logger
}

func (o *Options) withDefaults() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Now == nil {
		out.Now = time.Now
	}
	if out.Rand == nil {
		out.Rand = rand.Reader
	}
	if out.Holder == "" {
		id, err := randomHex(out.Rand)
		if err != nil {
			return out, err
		}
		out.Holder = "coordinator-" + id
	}
	if out.LeaseTTL == 0 {
		out.LeaseTTL = 15 * time.Second
	}
	if out.Renew == 0 {
		out.Renew = out.LeaseTTL / 6
	}
	if out.Grace == 0 {
		out.Grace = 10 * time.Second
	}
	switch out.Mode {
	case "":
		out.Mode = StopOnFailure
	case StopOnFailure, FailFast, ContinueOnFailure:
	default:
		return out, fmt.Errorf("unknown execution mode %q: it is one of %q, %q and %q", out.Mode, StopOnFailure, FailFast, ContinueOnFailure)
	}
	if out.Observer == nil {
		out.Observer = silent{}
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	return out, nil
}
