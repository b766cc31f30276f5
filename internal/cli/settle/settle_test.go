package settle

import (
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/step"
)

// TestCancelEndsWhatNobodyDrives cancels a run whose coordinator never started.
func TestCancelEndsWhatNobodyDrives(t *testing.T) {
	ctx := t.Context()
	frozen, err := json.Marshal(plan.Plan{APIVersion: "proa/v1", Pipeline: "p", Steps: []plan.Step{
		{Name: "a", Command: []string{"true"}, Recipe: "sha256:a"}, {Name: "b", Needs: []string{"a"}, Command: []string{"true"}, Recipe: "sha256:b"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	metadata := memory.New()
	r, err := run.Create(ctx, metadata, driver.Run{Pipeline: "p", Plan: frozen, Spec: json.RawMessage("{}")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	artifacts, err := artifact.Open(ctx, step.Store{URL: artifact.FileURL(t.TempDir())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = artifacts.Close() }()
	k := &kit.Kit{Now: time.Now, Rand: rand.Reader}
	result, err := Cancel(ctx, k, run.Components{Artifacts: artifacts, Metadata: metadata}, r.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != run.Cancelled {
		t.Errorf("the run is %s", result.Status)
	}
	steps, err := metadata.Steps(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if !run.StepStatus(s.Status).Final() {
			t.Errorf("step %s is still %s", s.Name, s.Status)
		}
	}
}
