package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// Two steps: the second takes the first's output.
var (
	first = plan.Step{Name: "first", Recipe: "1", Cache: true, Outputs: []spec.Output{{Name: "out"}}}
	then  = plan.Step{
		Name: "then", Recipe: "2", Cache: true, Needs: []string{"first"},
		Inputs: map[string]spec.Input{"in": {Step: "first", Output: "out"}}, Outputs: []spec.Output{{Name: "out"}},
	}
)

// gives is code that writes a line, takes two seconds and succeeds with an output of that digest.
func (l *lab) gives(digest string) code {
	return func(ctx context.Context, in step.Invocation, log func(string)) *step.Outcome {
		log("working on " + in.Step + "\n")
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return &step.Outcome{Status: step.Cancelled}
		}
		_ = l.store.Put(ctx, digest, []byte("{}"))
		return &step.Outcome{Status: step.Succeeded, Outputs: map[string]step.Artifact{"out": {Digest: digest, Type: "int"}}}
	}
}

func raises(context.Context, step.Invocation, func(string)) *step.Outcome {
	return &step.Outcome{Status: step.Failed, ExitCode: 1, Failure: &step.Failure{Kind: step.FailureUser, Type: "ValueError", Message: "bad"}}
}

// twoSteps returns a lab with both steps.
func twoSteps(t *testing.T, channel bool) *lab {
	l := newLab(t, first, then)
	l.orch.channel = channel
	l.orch.code["first"], l.orch.code["then"] = l.gives("sha256:1"), l.gives("sha256:2")
	return l
}

func expectSucceeded(t *testing.T, l *lab, got run.Result) {
	t.Helper()
	if got.Status != run.Succeeded {
		t.Errorf("the run %s; events: %+v", got.Status, l.seen.events)
	}
	for i, want := range []string{"sha256:1", "sha256:2"} {
		if digest := got.Steps[i].Outputs["out"].Digest; digest != want {
			t.Errorf("step %s gave %q, want %q", got.Steps[i].Name, digest, want)
		}
	}
	rows, err := l.metadata.Steps(t.Context(), l.run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Steps, rows); diff != "" {
		t.Errorf("the result differs from the rows (-result +rows):\n%s", diff)
	}
	if r, err := l.metadata.Run(t.Context(), l.run.Name); err != nil || r.Status != "succeeded" || r.Ended.IsZero() {
		t.Errorf("the run's row: %+v, %v", r, err)
	}
}

func expectNotice(t *testing.T, l *lab, parts ...string) {
	t.Helper()
	all := strings.Join(l.seen.notices, "\n")
	for _, part := range parts {
		if !strings.Contains(all, part) {
			t.Errorf("no notice has %q; they are:\n%s", part, all)
		}
	}
}

func TestExecute(t *testing.T) {
	for name, channel := range map[string]bool{"with the completion channel": true, "without it": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := twoSteps(t, channel)
				expectSucceeded(t, l, l.execute(run.Options{}))
				want := map[string]string{"first/1@0": "working on first\n", "then/1@0": "working on then\n"}
				if diff := cmp.Diff(want, l.seen.logs); diff != "" {
					t.Errorf("logs (-want +got):\n%s", diff)
				}
				if len(l.seen.notices) > 0 {
					t.Errorf("notices: %q", l.seen.notices)
				}
			})
		})
	}
}

func TestSecondRunIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, true)
		l.execute(run.Options{})
		l.create(first, then)
		began := time.Now()
		result := l.execute(run.Options{})
		expectSucceeded(t, l, result)
		if l.orch.starts["first"]+l.orch.starts["then"] != 2 {
			t.Errorf("starts: %v, want one of each, in the first run", l.orch.starts)
		}
		if diff := cmp.Diff(map[string]string{"first": "cached", "then": "cached"}, statuses(result)); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("a cached run waited %s for something", took)
		}
		l.create(first, then)
		delete(l.store.data, "sha256:1")
		result = l.execute(run.Options{})
		if diff := cmp.Diff(map[string]string{"first": "succeeded", "then": "cached"}, statuses(result)); diff != "" {
			t.Errorf("statuses after an artifact was deleted (-want +got):\n%s", diff)
		}
	})
}

func TestFailedStepFailsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, false)
		l.orch.code["first"] = raises
		result := l.execute(run.Options{})
		if diff := cmp.Diff(map[string]string{"first": "failed", "then": "skipped"}, statuses(result)); diff != "" || result.Status != run.Failed {
			t.Errorf("the run %s; statuses (-want +got):\n%s", result.Status, diff)
		}
		if f := result.Steps[0].Failure; f == nil || f.Type != "ValueError" {
			t.Errorf("failure: %+v", f)
		}
	})
}

func TestRetryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flaky := first
		flaky.Retry = plan.Retry{Max: 2, Delay: time.Minute, Factor: 2}
		l := newLab(t, flaky)
		began := time.Now()
		l.orch.code["first"] = func(ctx context.Context, in step.Invocation, log func(string)) *step.Outcome {
			if in.Attempt < 3 {
				return raises(ctx, in, log)
			}
			return l.gives("sha256:1")(ctx, in, log)
		}
		result := l.execute(run.Options{})
		if took := time.Since(began).Round(time.Second); result.Status != run.Succeeded || took != 3*time.Minute+5*time.Second {
			t.Errorf("the run %s after %s, want the attempts a minute and two minutes apart", result.Status, took)
		}
	})
}

func TestSilentEndIsLostAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fragile := first
		fragile.Retry.Infrastructure = 1
		l := newLab(t, fragile)
		l.orch.code["first"] = func(ctx context.Context, in step.Invocation, log func(string)) *step.Outcome {
			if in.Attempt == 1 {
				_ = l.store.Put(ctx, step.LogPartKey(in.Run, in.Name, 0), []byte("last "))
				_ = l.store.Put(ctx, step.LogPartKey(in.Run, in.Name, 1), []byte("words\n"))
				return nil
			}
			return l.gives("sha256:1")(ctx, in, log)
		}
		result := l.execute(run.Options{})
		if result.Status != run.Succeeded || result.Steps[0].Attempt != 2 {
			t.Errorf("the run %s with attempt %d", result.Status, result.Steps[0].Attempt)
		}
		if got := l.seen.logs["first/1@0"]; got != "last words\n" {
			t.Errorf("the lost attempt's log: %q", got)
		}
	})
}

func TestCancel(t *testing.T) {
	for name, ask := range map[string]func(*lab, chan struct{}) error{
		"by the caller":              func(_ *lab, on chan struct{}) error { close(on); return nil },
		"through the metadata store": func(l *lab, _ chan struct{}) error { return l.metadata.RequestCancel(l.t.Context(), l.run.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, on := twoSteps(t, true), make(chan struct{})
				go func() {
					time.Sleep(1500 * time.Millisecond) // the first step runs
					if err := ask(l, on); err != nil {
						t.Error(err)
					}
				}()
				l.orch.code["first"] = func(ctx context.Context, _ step.Invocation, _ func(string)) *step.Outcome {
					<-ctx.Done()
					return &step.Outcome{Status: step.Cancelled}
				}
				result := l.execute(run.Options{CancelOn: on})
				if diff := cmp.Diff(map[string]string{"first": "cancelled", "then": "cancelled"}, statuses(result)); diff != "" || result.Status != run.Cancelled {
					t.Errorf("the run %s; statuses (-want +got):\n%s", result.Status, diff)
				}
			})
		})
	}
}

func TestAnotherCoordinatorGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, true)
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second) // the first step runs
		defer stop()
		if _, err := run.Execute(ctx, l.components(), l.run.ID, &run.Options{Holder: "one"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the stopped coordinator returned %v", err)
		}
		if got := l.orch.left(); len(got) != 1 {
			t.Fatalf("attempts that go on: %v, want that of the first step", got)
		}
		began := time.Now()
		expectSucceeded(t, l, l.execute(run.Options{Holder: "two"}))
		if l.orch.starts["first"] != 1 || l.orch.starts["then"] != 1 {
			t.Errorf("starts: %v, want one of each", l.orch.starts)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("going on took %s: was the lease not released?", took)
		}
		if first := l.seen.events[0]; first.Seq != 1 {
			t.Errorf("the observer's first event is number %d, want the whole history", first.Seq)
		}
		again := l.execute(run.Options{})
		if again.Status != run.Succeeded || len(again.Steps) != 2 {
			t.Errorf("executing the ended run gave %+v", again)
		}
	})
}

func TestReplacedCoordinatorStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, true)
		go func() {
			time.Sleep(1500 * time.Millisecond)
			if _, err := l.metadata.Acquire(t.Context(), l.run.ID, "other", time.Now(), time.Minute, true); err != nil {
				t.Error(err)
			}
		}()
		_, err := run.Execute(t.Context(), l.components(), l.run.ID, nil)
		if !errors.Is(err, mdriver.ErrFenced) {
			t.Errorf("got %v, want ErrFenced", err)
		}
		if got := l.orch.left(); len(got) != 1 {
			t.Errorf("attempts: %v; the replaced coordinator has to leave them alone", got)
		}
	})
}

func TestWaitsForAnotherHoldersLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, true)
		if _, err := l.metadata.Acquire(t.Context(), l.run.ID, "gone", time.Now(), 10*time.Second, false); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		expectSucceeded(t, l, l.execute(run.Options{}))
		if took := time.Since(began); took < 10*time.Second {
			t.Errorf("the run was taken within %s from one whose lease lasted", took)
		}
		expectNotice(t, l, "is driven by gone")
	})
}

func TestOutages(t *testing.T) {
	for name, away := range map[string]func(*lab){
		"metadata store": func(l *lab) {
			l.metadata.set(true)
			time.Sleep(20 * time.Second)
			l.metadata.set(false)
		},
		"orchestrator": func(l *lab) {
			set := func(err error) {
				l.orch.mu.Lock()
				defer l.orch.mu.Unlock()
				l.orch.refuse = err
			}
			set(errAway)
			l.orch.broken <- errAway
			time.Sleep(20 * time.Second)
			set(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := twoSteps(t, true)
				l.orch.broken = make(chan error)
				go func() {
					time.Sleep(1500 * time.Millisecond)
					away(l)
				}()
				expectSucceeded(t, l, l.execute(run.Options{}))
				expectNotice(t, l, "the "+name+" is unavailable; the run waits", "the "+name+" is back")
				if len(l.seen.notices) > 4 {
					t.Errorf("%d notices of one outage: %q", len(l.seen.notices), l.seen.notices)
				}
			})
		})
	}
}

func TestFinalFailures(t *testing.T) {
	t.Run("of a start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := twoSteps(t, true)
			l.orch.refuse = errors.New("pods is forbidden")
			f := l.execute(run.Options{}).Steps[0].Failure
			if f == nil || f.Kind != step.FailureConfig || !strings.Contains(f.Message, "pods is forbidden") {
				t.Errorf("failure: %+v", f)
			}
		})
	})
	t.Run("of the watch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := twoSteps(t, true)
			l.orch.broken = make(chan error, 1)
			l.orch.broken <- errors.New("watching is forbidden")
			_, err := run.Execute(t.Context(), l.components(), l.run.ID, nil)
			if err == nil || !strings.Contains(err.Error(), "watching is forbidden") {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("of a mode", func(t *testing.T) {
		if _, err := run.Execute(t.Context(), run.Components{}, "r", &run.Options{Mode: "odd"}); err == nil {
			t.Error("an unknown mode was taken")
		}
	})
}

func TestInputThatExistedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taking := plan.Step{Name: "taking", Inputs: map[string]spec.Input{"in": {Artifact: "sha256:old"}}}
		l := newLab(t, taking)
		manifest, err := json.Marshal(step.Manifest{Type: "ndarray", Materializer: "numpy", Files: []step.File{{Size: 3}, {Size: 4}}})
		if err != nil {
			t.Fatal(err)
		}
		var got step.Artifact
		l.orch.code["taking"] = func(_ context.Context, in step.Invocation, _ func(string)) *step.Outcome {
			got = in.Inputs["in"]
			return &step.Outcome{Status: step.Succeeded}
		}
		if f := l.execute(run.Options{}).Steps[0].Failure; f == nil || !strings.Contains(f.Message, "sha256:old") {
			t.Errorf("an input that isn't there gave %+v", f)
		}
		l.create(taking)
		_ = l.store.Put(t.Context(), "sha256:old", manifest)
		if result := l.execute(run.Options{}); result.Status != run.Succeeded {
			t.Errorf("the run %s: %+v", result.Status, result.Steps)
		}
		if want := (step.Artifact{Digest: "sha256:old", Type: "ndarray", Materializer: "numpy", Size: 7}); got != want {
			t.Errorf("the input is %+v, want %+v", got, want)
		}
	})
}
