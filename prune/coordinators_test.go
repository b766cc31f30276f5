package prune_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/prune"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// driven is the plan of a run that an image drives.
func driven(digest string) plan.Plan {
	p := plan.Plan{Images: []plan.Image{{Key: "i"}}}
	if digest != "" {
		p.Coordinator = "registry/proa@sha256:" + digest
	}
	return p
}

func (w *world) schedule(name string, p plan.Plan) string {
	w.Helper()
	frozen, err := json.Marshal(p)
	if err != nil {
		w.Fatal(err)
	}
	record, err := json.Marshal(step.Frozen{Schedule: name, Plan: frozen})
	if err != nil {
		w.Fatal(err)
	}
	return w.put(step.ScheduleKey("c", "n", name, "sha256:1"), string(record))
}

func TestCoordinators(t *testing.T) {
	w := newWorld(t)
	w.run(run.Running, driven("goes-on"))
	w.run(run.Succeeded, driven("ended"))
	w.run(run.Succeeded, plan.Plan{}) // on this machine
	w.schedule("nightly", driven("scheduled"))
	find := func(since time.Time) prune.Coordinators {
		t.Helper()
		c, err := prune.FindCoordinators(t.Context(), w.artifacts, w.metadata, since)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for since, want := range map[time.Time]map[string]bool{
		time.Now().Add(time.Hour):  {"goes-on": true, "ended": false, "scheduled": true, "other": false},
		time.Now().Add(-time.Hour): {"goes-on": true, "ended": true, "scheduled": true, "other": false},
	} {
		c := find(since)
		for digest, needed := range want {
			if c.Need("sha256:"+digest) != needed || c.Silent != "" {
				t.Errorf("%s is needed: %v, silent: %q; want %v", digest, !needed, c.Silent, needed)
			}
		}
	}

	// What an older proa made keeps all of them.
	old := w.run(run.Succeeded, driven(""))
	if c := find(time.Now().Add(time.Hour)); c.Silent != "" {
		t.Errorf("a run that ended before counts: %q", c.Silent)
	}
	if c := find(time.Now().Add(-time.Hour)); c.Silent != "the run "+old.Name {
		t.Errorf("silent: %q", c.Silent)
	}
	w.schedule("weekly", driven(""))
	if c := find(time.Now().Add(time.Hour)); c.Silent != "the schedule weekly" {
		t.Errorf("silent: %q", c.Silent)
	}

	var unknown *prune.UnknownError
	if _, err := prune.FindCoordinators(t.Context(), w.artifacts, memory.New(), time.Now()); !errors.As(err, &unknown) {
		t.Errorf("with another metadata store: %v", err)
	}
}
