package kubernetes

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/proa-ml/proa/internal/pause"
)

const (
	feedBackoffMin = 200 * time.Millisecond
	feedBackoffMax = 10 * time.Second
	// feedRefusals is how long refusals are put up with: rights that were just given take a moment to be known.
	feedRefusals = 30 * time.Second
	// watchLength is after how long the API server ends a watch that would otherwise go on for ever.
	watchLength = int64(5 * 60)
)

// feed is a list followed by its changes, kept up over broken connections and expired versions.
type feed[T any] struct {
	list  func(context.Context, metav1.ListOptions) (items []T, version string, err error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// before runs before each list; what it notes is older than the list.
	before func()
	// sync receives each whole list, set and gone the changes after it.
	sync func([]T)
	set  func(*T)
	gone func(*T)
	// trouble is told of errors that are being retried.
	trouble func(error)
	now     func() time.Time
}

// run feeds until ctx ends, or the API server keeps refusing.
func (f *feed[T]) run(ctx context.Context) error {
	var version string
	var refusedSince time.Time
	backoff := feedBackoffMin
	for {
		progressed, next, err := f.step(ctx, version)
		version = next
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if progressed {
			backoff, refusedSince = feedBackoffMin, time.Time{}
		}
		if err == nil {
			continue
		}
		f.trouble(err)
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || isFinal(err) {
			if refusedSince.IsZero() {
				refusedSince = f.now()
			}
			if f.now().Sub(refusedSince) > feedRefusals {
				return err
			}
		}
		if err := pause.For(ctx, backoff); err != nil {
			return err
		}
		backoff = min(2*backoff, feedBackoffMax)
	}
}

// step lists if version is empty, and watches from it otherwise. It returns the version to go on from.
func (f *feed[T]) step(ctx context.Context, version string) (progressed bool, next string, err error) {
	if version != "" {
		return f.follow(ctx, version)
	}
	f.before()
	items, version, err := f.list(ctx, metav1.ListOptions{})
	if err != nil {
		return false, "", err
	}
	f.sync(items)
	return true, version, nil
}

// follow watches from version until the watch ends; the next version is empty if the list has to be taken anew.
func (f *feed[T]) follow(ctx context.Context, version string) (progressed bool, next string, err error) {
	w, err := f.watch(ctx, metav1.ListOptions{
		ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: ptr(watchLength),
	})
	if err != nil {
		return false, unlessExpired(version, err), err
	}
	defer w.Stop()
	started := f.now()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			err := apierrors.FromObject(event.Object)
			return progressed, unlessExpired(version, err), err
		}
		meta, ok := event.Object.(metav1.Object)
		if !ok {
			return progressed, "", fmt.Errorf("watching: an unexpected %T arrived", event.Object)
		}
		version, progressed = meta.GetResourceVersion(), true
		f.change(event)
	}
	if !progressed && f.now().Sub(started) < time.Second {
		return false, version, fmt.Errorf("watching: the connection ended at once")
	}
	return progressed, version, nil
}

func (f *feed[T]) change(event watch.Event) {
	item, ok := event.Object.(any).(*T)
	if !ok {
		return
	}
	switch event.Type {
	case watch.Added, watch.Modified:
		f.set(item)
	case watch.Deleted:
		f.gone(item)
	}
}

// unlessExpired forgets a version that the API server no longer has.
func unlessExpired(version string, err error) string {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return ""
	}
	return version
}
