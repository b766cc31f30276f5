package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/spec"
)

func (w *world) submit(t *testing.T, run, config string) {
	t.Helper()
	for range 2 { // submitting twice is submitting once
		if err := w.client.Submit(t.Context(), w.submission(run, config)); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) submission(run, config string) Submission {
	return Submission{
		Run: run, RunName: "a run", Pipeline: strings.Repeat("Größe ", 40), CoordinatorImage: w.image,
		CoordinatorArgs: []string{"coordinate"}, Config: []byte(config), Access: w.access(),
	}
}

// Each line arrives once, in order, though the coordinator crashes.
func TestClusterFollowAcrossCrashes(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	w.submit(t, "run-1", `{"Lines": 50, "Starts": 2}`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var got []string
	err := w.client.Follow(ctx, "run-1", Follower{
		Line: func(line []byte) error {
			if words := strings.Fields(string(line)); len(words) == 6 {
				got = append(got, strings.Join(words[1:5], " "))
			} else {
				got = append(got, fmt.Sprintf("%d words", len(words)))
			}
			return nil
		},
		Waiting: func(reason string) { t.Log("waiting:", reason) },
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for start := range 2 {
		for line := range 50 {
			want = append(want, fmt.Sprintf("start %d line %d", start, line))
		}
		want = append(want, "8001 words")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	w.finished(t, "run-1")
}

// finished checks that Finish leaves no secret, and that everything that is left has an owner.
func (w *world) finished(t *testing.T, run string) {
	t.Helper()
	secrets := w.api.CoreV1().Secrets(w.client.namespace)
	secret, err := secrets.Get(t.Context(), ObjectName(run), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].Kind != "Job" {
		t.Errorf("the secret's owners are %+v, want the job", secret.OwnerReferences)
	}
	for range 2 {
		if err := w.client.Finish(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := secrets.Get(t.Context(), ObjectName(run), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the secret is still there: %v", err)
	}
}

// The coordinator's pod is deleted by hand: its Job makes another, and Follow goes on with that. Then all is swept.
func TestClusterFollowAcrossPods(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	w.submit(t, "run-1", `{"Lines": 1, "Starts": 1, "Wait": true}`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	pods := map[string]bool{}
	err := w.client.Follow(ctx, "run-1", Follower{Line: func(line []byte) error {
		words := strings.Fields(string(line))
		if len(words) != 6 {
			return nil
		}
		pods[words[0]] = true
		if len(pods) == 2 {
			return io.EOF
		}
		return w.api.CoreV1().Pods(w.client.namespace).Delete(ctx, words[0], metav1.DeleteOptions{})
	}})
	if err != nil || len(pods) != 2 {
		t.Fatalf("ended with %v after the pods %v", err, pods)
	}
	if err := w.client.Sweep(ctx, "run-1", time.Second); err != nil {
		t.Fatal(err)
	}
	if left := w.pods(t); len(left) != 0 {
		t.Errorf("%d pods are left", len(left))
	}
	if err := w.client.Follow(ctx, "run-1", Follower{Line: func([]byte) error { return nil }}); !errors.Is(err, ErrGone) {
		t.Errorf("following what was swept: %v", err)
	}
	if err := w.client.Sweep(ctx, "run-1", time.Second); err != nil {
		t.Errorf("sweeping twice: %v", err)
	}
}

// A line is passed on as soon as it is written.
func TestClusterFollowIsFast(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	w.submit(t, "run-1", `{"Lines": 20, "Starts": 1, "Wait": true}`)
	submitted := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := w.client.Follow(ctx, "run-1", Follower{Line: func(line []byte) error {
		var pod string
		var start, i int
		var at int64
		if _, err := fmt.Sscanf(string(line), "%s start %d line %d %d", &pod, &start, &i, &at); err != nil {
			return err
		}
		t.Logf("first line %v after it was written, %v after the run was submitted",
			time.Since(time.Unix(0, at)).Round(time.Millisecond), time.Since(submitted).Round(time.Millisecond))
		return io.EOF
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.client.Sweep(ctx, "run-1", time.Second); err != nil {
		t.Fatal(err)
	}
}

// The coordinator can't be pulled: Follow says why it waits.
func TestClusterFollowSaysWhyItWaits(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	w.image = strings.Split(w.image, "@")[0] + "@sha256:" + strings.Repeat("0", 64)
	w.submit(t, "run-1", `{}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said := errors.New("said")
	ctx, stop := context.WithCancelCause(ctx)
	err := w.client.Follow(ctx, "run-1", Follower{
		Line: func([]byte) error { return nil },
		Waiting: func(reason string) {
			if strings.Contains(reason, "not found") {
				stop(said)
			}
		},
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(context.Cause(ctx), said) {
		t.Errorf("ended with %v", err)
	}
}

// The coordinator's pod is refused: Follow says by whom, and why. Who may not read events is told who can.
func TestClusterFollowSaysWhatRefusesTheCoordinator(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	s := w.submission("run-1", `{}`)
	s.Settings = settings(t, `{"orchestrator_pod_settings":{"host_ipc":true}}`)
	if err := w.client.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for words, client := range map[string]*Client{
		"the namespace's Pod Security level refuses it: have its label":   w.client,
		"`kubectl describe job proa-run-1 -n " + w.client.namespace + "`": w.member(t, w.client.namespace, "ada", RunRules()),
	} {
		eventually(t, "what runs need is permitted", func() bool { return client.Check(t.Context()) == nil })
		ctx, stop := context.WithTimeout(t.Context(), patience)
		told := false
		err := client.Follow(ctx, "run-1", Follower{
			Line: func([]byte) error { return nil },
			Waiting: func(reason string) {
				if strings.Contains(reason, "waiting for the coordinator's pod: ") && strings.Contains(reason, words) {
					told = true
					stop()
				}
			},
		})
		stop()
		if !told {
			t.Errorf("not told of %q; ended with %v", words, err)
		}
	}
}

// The launcher's file holds the run's key and certificate, and the step's pod gets nothing else of the Secret.
func TestClusterSecret(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	w.submit(t, "run-1", `{"Lines": 1, "Starts": 1}`)
	secret, err := w.api.CoreV1().Secrets(w.client.namespace).Get(t.Context(), ObjectName("run-1"), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var access struct{ Key, CA []byte }
	if err := json.Unmarshal(secret.Data[keyAccess], &access); err != nil || len(access.Key) != 32 || len(access.CA) == 0 {
		t.Errorf("access has a key of %d bytes and a certificate of %d (%v)", len(access.Key), len(access.CA), err)
	}
}

// A scheduled run is swept, and no other, though neither its Job nor a pod is labelled with it.
func TestClusterSweepOfAScheduledRun(t *testing.T) {
	t.Parallel()
	w := onCluster(t)
	ctx := t.Context()
	nightly := spec.Schedule{Name: "nightly", CronExpression: "0 3 1 1 *"}
	if _, err := w.client.Schedule(ctx, w.submission("", `{"Lines": 1, "Starts": 1, "Wait": true}`), nightly, "k8s"); err != nil {
		t.Fatal(err)
	}
	var runs [2]string
	for i := range runs {
		var err error
		if runs[i], err = w.client.TriggerSchedule(ctx, "nightly"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both have pods", func() bool { return len(w.pods(t)) == 2 })
	if err := w.client.Sweep(ctx, runs[0], time.Second); err != nil {
		t.Fatal(err)
	}
	var jobs *batchv1.JobList
	eventually(t, "one job and its pod are left", func() bool {
		var err error
		if jobs, err = w.api.BatchV1().Jobs(w.client.namespace).List(ctx, metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		return len(jobs.Items) == 1 && len(w.pods(t)) == 1
	})
	if left := runOfJob(string(jobs.Items[0].UID)); left != runs[1] {
		t.Errorf("run %s is left, want %s", left, runs[1])
	}
	if err := w.client.DeleteSchedule(ctx, "nightly"); err != nil {
		t.Fatal(err)
	}
}
