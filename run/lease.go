package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/internal/pause"
	"github.com/proa-ml/proa/metadata/driver"
)

// acquire takes the run's lease, waiting until another holder's has expired. That is also so if it wasn't renewed for that
// long on this machine's clock, whatever the holder's clock makes of it.
func (e *engine) acquire(ctx context.Context, run string) (driver.Lease, error) {
	var present driver.Lease
	var since time.Time
	for told := false; ; {
		force := e.Force || !since.IsZero() && e.Now().Sub(since) > e.LeaseTTL
		lease, err := retrying(ctx, e, func() (driver.Lease, error) {
			return e.parts.Metadata.Acquire(ctx, run, e.Holder, e.Now(), e.LeaseTTL, force)
		})
		if lease.Epoch != present.Epoch || !lease.Expires.Equal(present.Expires) {
			present, since = lease, e.Now()
		}
		if !errors.Is(err, driver.ErrConflict) {
			if err != nil {
				err = fmt.Errorf("taking the lease of run %s: %w", run, err)
			}
			return lease, err
		}
		if !told {
			told = true
			e.observer.Notice(fmt.Sprintf("run %s is driven by %s; waiting until it ends or stops renewing its lease", run, lease.Holder))
		}
		if err := pause.For(ctx, min(max(lease.Expires.Sub(e.Now()), e.Renew/10), e.Renew)); err != nil {
			return lease, err
		}
	}
}

// keepLease renews the lease until ctx ends, and reports a cancel that was requested, or that the lease is lost. A store
// that is unavailable is no reason to end: as long as nobody else takes the run, it stays ours.
func (e *engine) keepLease(ctx context.Context, lease driver.Lease) {
	for pause.For(ctx, e.Renew) == nil {
		renewed, err := e.parts.Metadata.Acquire(ctx, lease.Run, e.Holder, e.Now(), e.LeaseTTL, false)
		switch {
		case unavailable(err) != "" || ctx.Err() != nil:
			continue
		case errors.Is(err, driver.ErrConflict), err == nil && renewed.Epoch != lease.Epoch:
			e.inbox.put(report{err: fmt.Errorf("renewing the lease: %w", driver.ErrFenced)})
			return
		case err != nil:
			e.inbox.put(report{err: fmt.Errorf("renewing the lease: %w", err)})
			return
		}
		if seen := taken(renewed); seen != nil {
			e.inbox.put(report{seen: seen})
		}
	}
}

// release lets another coordinator go on at once. It is the last thing a coordinator does that was told to stop.
func (e *engine) release(ctx context.Context, lease driver.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, err := e.parts.Metadata.Acquire(ctx, lease.Run, e.Holder, e.Now(), 0, false); err != nil {
		e.Logger.Debug("releasing the lease", "error", err)
	}
}
