package kubernetes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

func savedPod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "pods", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	pod := new(corev1.Pod)
	if err := json.Unmarshal(data, pod); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return pod
}

// want is what a saved pod means. Words must be in its reason or its failure's message.
type want struct {
	phase   driver.Phase
	kind    step.FailureKind
	words   string
	code    int
	doubt   step.FailureKind
	grace   time.Duration
	deleted step.FailureKind
}

var savedPods = map[string]want{
	"pending-new":              {phase: driver.Pending, words: "waiting for a node", code: -1},
	"pending-unschedulable":    {phase: driver.Pending, words: "0/1 nodes are available: 1 Insufficient memory", code: -1},
	"pending-gated":            {phase: driver.Pending, words: "scheduling gates", code: -1},
	"pending-volumes":          {phase: driver.Pending, words: "network and volumes", code: -1},
	"pending-pulling":          {phase: driver.Pending, words: "pulling image", code: -1},
	"pending-pull-throttled":   {phase: driver.Pending, words: "QPS exceeded", code: -1, doubt: step.FailureImage, grace: pullGrace},
	"pending-pull-missing":     {phase: driver.Pending, words: "not found", code: -1, doubt: step.FailureImage, grace: pullGraceDefinite},
	"pending-pull-backoff":     {phase: driver.Pending, words: "connection refused", code: -1, doubt: step.FailureImage, grace: pullGrace},
	"pending-invalid-image":    {phase: driver.Ended, kind: step.FailureImage, words: "invalid reference format", code: -1},
	"pending-no-secret-key":    {phase: driver.Pending, words: "access.json", code: -1, doubt: step.FailureConfig, grace: configGrace},
	"running":                  {phase: driver.Running, code: -1},
	"running-deleted":          {phase: driver.Running, words: "being deleted", code: -1, doubt: step.FailureNodeLost, grace: lostGrace + 30*time.Second},
	"running-node-unreachable": {phase: driver.Running, words: "being deleted", code: -1, doubt: step.FailureNodeLost, grace: lostGrace + 30*time.Second, deleted: step.FailureNodeLost},
	"running-preempted":        {phase: driver.Running, words: "being deleted", code: -1, doubt: step.FailurePreempted, grace: lostGrace + 30*time.Second, deleted: step.FailurePreempted},
	"succeeded":                {phase: driver.Ended, kind: step.FailureLost, words: "exit code 0", deleted: step.FailureLost},
	"terminated-still-running": {phase: driver.Ended, kind: step.FailureLost, words: "exit code 0"},
	"oom":                      {phase: driver.Ended, kind: step.FailureOOM, words: "more memory than the step's 256Mi", code: 137, deleted: step.FailureOOM},
	"oom-child-only":           {phase: driver.Ended, kind: step.FailureOOM, words: "more memory than the step's 256Mi"},
	"exit-1":                   {phase: driver.Ended, kind: step.FailureLost, words: "exit code 1", code: 1},
	"exit-store":               {phase: driver.Ended, kind: step.FailureLost, words: "artifact store", code: 201},
	"exit-usage":               {phase: driver.Ended, kind: step.FailureConfig, words: "unusable arguments or environment; its last words: launcher: PROA_RUN is not set", code: 200},
	"exit-start":               {phase: driver.Ended, kind: step.FailureConfig, words: "could not start the runner", code: 202},
	"exit-superseded":          {phase: driver.Ended, kind: step.FailureLost, words: "another outcome", code: 204},
	"killed":                   {phase: driver.Ended, kind: step.FailureLost, words: "SIGKILL", code: 137},
	"no-launcher":              {phase: driver.Ended, kind: step.FailureImage, words: "no such file", code: 128},
	"evicted":                  {phase: driver.Ended, kind: step.FailureEvicted, words: "low on resource: memory", code: 137},
	"evicted-by-api":           {phase: driver.Ended, kind: step.FailureEvicted, words: "evicting", code: 143, deleted: step.FailureEvicted},
	"deadline":                 {phase: driver.Ended, kind: step.FailureTimeout, words: "deadline", code: 137},
	"node-shutdown":            {phase: driver.Ended, kind: step.FailureEvicted, words: "node shutdown", code: 143},
	"out-of-memory-admission":  {phase: driver.Ended, kind: step.FailureEvicted, words: "enough resource", code: -1},
	"node-gone":                {phase: driver.Ended, kind: step.FailureNodeLost, words: "no longer exists", code: -1},
	"status-unknown":           {phase: driver.Ended, kind: step.FailureNodeLost, words: "lost track", code: 137},
	"failed-without-status":    {phase: driver.Ended, kind: step.FailureLost, words: "did not say how", code: -1},
}

func TestObserve(t *testing.T) {
	for name, want := range savedPods {
		t.Run(name, func(t *testing.T) {
			pod := savedPod(t, name)
			got := observe(pod)
			if got.status.Phase != want.phase || got.status.Attempt != pod.Name || got.status.ExitCode != want.code {
				t.Errorf("got %+v, want phase %q and exit code %d", got.status, want.phase, want.code)
			}
			words := got.status.Reason
			if f := got.status.Failure; f != nil {
				words = f.Message
			}
			if kindOf(got.status.Failure) != want.kind || !strings.Contains(words, want.words) {
				t.Errorf("got failure %+v with words %q, want kind %q and %q", got.status.Failure, words, want.kind, want.words)
			}
			checkDoubt(t, got.doubt, want)
			if want.deleted == "" {
				want.deleted = step.FailureLost
			}
			if want.phase != driver.Ended || want.deleted != step.FailureLost {
				if got := vanished(pod); got.Phase != driver.Ended || kindOf(got.Failure) != want.deleted {
					t.Errorf("vanished: got %+v %+v, want kind %q", got, got.Failure, want.deleted)
				}
			}
		})
	}
}

func checkDoubt(t *testing.T, got *doubt, want want) {
	t.Helper()
	if (got != nil) != (want.doubt != "") {
		t.Fatalf("got doubt %+v, want %q", got, want.doubt)
	}
	if got != nil && (got.failure.Kind != want.doubt || got.grace != want.grace) {
		t.Errorf("got doubt %+v, want %q after %v", got, want.doubt, want.grace)
	}
}

func kindOf(f *step.Failure) step.FailureKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

// TestEverySavedPodIsExplained keeps files and table together.
func TestEverySavedPodIsExplained(t *testing.T) {
	files, err := filepath.Glob("testdata/pods/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); savedPods[name].phase == "" {
			t.Errorf("%s is not in the table", file)
		}
	}
	if len(files) != len(savedPods) {
		t.Errorf("%d files for %d rows", len(files), len(savedPods))
	}
}
