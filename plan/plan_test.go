package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/spec"
)

var update = flag.Bool("update", false, "write the golden plans")

var (
	processes = Target{Command: []string{"/usr/bin/python3", "-m", "proa.runner"}, Dir: "/src", RunSettings: []string{"mode"}, StepSettings: []string{"a", "b", "pod_settings", "node_selector", "privileged"}}
	images    = Target{Images: true, Base: "python:{python}-slim", Platform: "linux/amd64", Command: []string{"python", "-m", "proa.runner"}, Dir: "/app", RunSettings: []string{"mode"}, StepSettings: []string{"a", "b", "pod_settings", "node_selector", "privileged"}}
)

// TestGolden plans every golden spec for both kinds of target. The specs are those that the Python SDK's tests write.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../spec/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden specs: %v", err)
	}
	for _, file := range files {
		for kind, target := range map[string]Target{"processes": processes, "images": images} {
			name := strings.TrimSuffix(filepath.Base(file), ".json") + "." + kind
			t.Run(name, func(t *testing.T) { golden(t, file, name, target) })
		}
	}
}

func golden(t *testing.T, file, name string, target Target) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(p, target)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run `go test ./plan -update`", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("plan differs (-want +got):\n%s", cmp.Diff(string(want), string(got)))
	}
}

func pipeline(change func(*spec.Pipeline)) *spec.Pipeline {
	p := &spec.Pipeline{
		APIVersion: spec.APIVersion, Kind: spec.Kind, Name: "p",
		Source: spec.Source{Root: "/src", Main: "run.py", Python: "3.11.7"},
		Steps: []spec.Step{
			{Name: "b", Run: python("b"), Inputs: map[string]spec.Input{"x": {Step: "a", Output: "output"}}, After: []string{"a"}},
			{Name: "a", Run: python("a"), Outputs: []spec.Output{{Name: "output"}}},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

func python(name string) spec.Run {
	return spec.Run{Python: &spec.Python{Source: "run:" + name, Digest: "sha256:" + name}}
}

func mustPlan(t *testing.T, p *spec.Pipeline, target Target) *Plan {
	t.Helper()
	made, err := New(p, target)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestOrderAndNeeds(t *testing.T) {
	made := mustPlan(t, pipeline(nil), processes)
	if made.Steps[0].Name != "a" || made.Steps[1].Name != "b" {
		t.Errorf("got order %s, %s", made.Steps[0].Name, made.Steps[1].Name)
	}
	if diff := cmp.Diff([]string{"a"}, made.Steps[1].Needs); diff != "" {
		t.Error(diff)
	}
}

func TestImagesAreShared(t *testing.T) {
	made := mustPlan(t, pipeline(func(p *spec.Pipeline) {
		p.Settings = &spec.Settings{Docker: &spec.Docker{Requirements: []string{"pandas", "numpy"}, Environment: map[string]string{"A": "1", "B": "1"}}}
	}), images)
	if len(made.Images) != 1 {
		t.Fatalf("got %d images for steps with equal settings", len(made.Images))
	}
	if got := made.Images[0]; got.Base != "python:3.11-slim" || got.Requirements[0] != "numpy" {
		t.Errorf("got image %+v", got)
	}
	made = mustPlan(t, pipeline(func(p *spec.Pipeline) {
		p.Steps[0].Settings = &spec.Settings{Docker: &spec.Docker{Requirements: []string{"torch"}}}
	}), images)
	if len(made.Images) != 2 || made.Steps[0].Image == made.Steps[1].Image {
		t.Errorf("steps with other requirements share an image: %+v", made.Images)
	}
}

// TestRecipe checks what changes a cache recipe and what doesn't.
func TestRecipe(t *testing.T) {
	recipeOf := func(change func(*spec.Pipeline)) string {
		return mustPlan(t, pipeline(change), processes).Step("b").Recipe
	}
	base := recipeOf(nil)
	for name, change := range map[string]func(*spec.Pipeline){
		"code":      func(p *spec.Pipeline) { p.Steps[0].Run.Python.Digest = "sha256:new" },
		"parameter": func(p *spec.Pipeline) { p.Steps[0].Parameters = map[string]json.RawMessage{"g": json.RawMessage("1")} },
		"output":    func(p *spec.Pipeline) { p.Steps[0].Outputs = []spec.Output{{Name: "o"}} },
		"environment": func(p *spec.Pipeline) {
			p.Settings = &spec.Settings{Docker: &spec.Docker{Requirements: []string{"numpy"}}}
		},
		"python": func(p *spec.Pipeline) { p.Source.Python = "3.12.1" },
	} {
		if recipeOf(change) == base {
			t.Errorf("a change of %s does not change the recipe", name)
		}
	}
	for name, change := range map[string]func(*spec.Pipeline){
		"pipeline name": func(p *spec.Pipeline) { p.Name = "q" },
		"step name":     func(p *spec.Pipeline) { p.Steps[0].Name = "c" },
		"python patch":  func(p *spec.Pipeline) { p.Source.Python = "3.11.9" },
		"folder":        func(p *spec.Pipeline) { p.Source.Root = "/elsewhere" },
		"retry":         func(p *spec.Pipeline) { p.Steps[0].Retry = &spec.Retry{Max: 3} },
	} {
		got := mustPlan(t, pipeline(change), processes)
		if got.Steps[1].Recipe != base {
			t.Errorf("a change of %s changes the recipe", name)
		}
	}
}

func TestCacheKey(t *testing.T) {
	key := CacheKey("r", map[string]string{"x": "1", "y": "2"})
	if key != CacheKey("r", map[string]string{"y": "2", "x": "1"}) {
		t.Error("the order of inputs changes the key")
	}
	if key == CacheKey("r", map[string]string{"x": "2", "y": "1"}) || key == CacheKey("s", map[string]string{"x": "1", "y": "2"}) {
		t.Error("different inputs or recipes give one key")
	}
}

func TestDefaultsAndOverrides(t *testing.T) {
	off, on := false, true
	made := mustPlan(t, pipeline(func(p *spec.Pipeline) {
		p.Cache = &off
		p.Steps[0].Cache = &on
		p.Steps[0].Timeout = "90s"
		p.Steps[0].Retry = &spec.Retry{Max: 2, Delay: "1s", Cap: "1m"}
		p.Settings = &spec.Settings{Orchestrator: map[string]json.RawMessage{"a": json.RawMessage("1"), "b": json.RawMessage("1")}}
		p.Steps[0].Settings = &spec.Settings{Orchestrator: map[string]json.RawMessage{"b": json.RawMessage("2")}}
	}), processes)
	a, b := made.Step("a"), made.Step("b")
	if a.Cache || !b.Cache {
		t.Error("the step's cache setting must go before the pipeline's")
	}
	if b.Timeout != 90*time.Second {
		t.Errorf("got timeout %v", b.Timeout)
	}
	want := Retry{Max: 2, Delay: time.Second, Factor: 1, Cap: time.Minute, Infrastructure: infrastructureBudget}
	if !cmp.Equal(b.Retry, want) {
		t.Errorf("got retry %+v", b.Retry)
	}
	if string(b.Settings["a"]) != "1" || string(b.Settings["b"]) != "2" || string(a.Settings["b"]) != "1" {
		t.Errorf("got settings %s and %s", a.Settings, b.Settings)
	}
}

func TestSettingsAreMerged(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	target := images
	target.Settings = map[string]json.RawMessage{"pod_settings": raw(`{"labels":{"team":"a","cost":"1"},"host_ipc":true}`), "mode": raw(`"x"`), "other": raw(`1`)}
	made := mustPlan(t, pipeline(func(p *spec.Pipeline) {
		p.Settings = &spec.Settings{Orchestrator: map[string]json.RawMessage{"pod_settings": raw(`{"labels":{"cost":"2"}}`), "mode": raw(`"y"`)}}
		p.Steps[0].Settings = &spec.Settings{Orchestrator: map[string]json.RawMessage{"pod_settings": raw(`{"labels":{"step":"b"},"host_ipc":false}`)}}
	}), target)
	if got := string(made.Step("b").Settings["pod_settings"]); got != `{"host_ipc":false,"labels":{"cost":"2","step":"b","team":"a"}}` {
		t.Errorf("the step has pod_settings %s", got)
	}
	if got := string(made.Step("a").Settings["pod_settings"]); got != `{"host_ipc":true,"labels":{"cost":"2","team":"a"}}` {
		t.Errorf("the other step has pod_settings %s", got)
	}
	if string(made.Settings["mode"]) != `"y"` || len(made.Settings) != 1 || len(made.Step("a").Settings) != 1 {
		t.Errorf("the run has settings %s", made.Settings)
	}
}

func TestMemoryLadder(t *testing.T) {
	for name, c := range map[string]struct {
		first  string
		policy spec.OnOOM
		want   []int64
		err    string
	}{
		"doubles":     {"1Gi", spec.OnOOM{MaxMemory: "4Gi"}, []int64{1 << 30, 2 << 30, 4 << 30}, ""},
		"ends at max": {"1Gi", spec.OnOOM{MemoryFactor: 3, MaxMemory: "4Gi"}, []int64{1 << 30, 3 << 30, 4 << 30}, ""},
		"fractions":   {"1.5Gi", spec.OnOOM{MemoryFactor: 1.5, MaxMemory: "2G"}, []int64{3 << 29, 2e9}, ""},
		"no growth":   {"4Gi", spec.OnOOM{MaxMemory: "4Gi"}, nil, "not more than the step's own 4Gi"},
		"no number":   {"1Gi", spec.OnOOM{MaxMemory: "lots"}, nil, `max_memory: "lots" is not an amount`},
		"no unit":     {"1GB", spec.OnOOM{MaxMemory: "4Gi"}, nil, `resources.memory: "1GB" is not an amount`},
		"empty":       {"", spec.OnOOM{MaxMemory: "4Gi"}, nil, "is not an amount"},
		"huge":        {"1Gi", spec.OnOOM{MaxMemory: "9999999Pi"}, nil, "is not an amount"},
	} {
		got, err := ladder(c.first, c.policy)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got error %v, want %q%s", name, err, c.err, diff)
		}
	}
}

func TestCycleIsAnError(t *testing.T) {
	_, err := New(pipeline(func(p *spec.Pipeline) { p.Steps[1].After = []string{"b"} }), processes)
	if err == nil || !strings.Contains(err.Error(), "a -> b -> a") && !strings.Contains(err.Error(), "b -> a -> b") {
		t.Errorf("got %v", err)
	}
}

func TestFailurePolicy(t *testing.T) {
	for text, want := range map[string]string{
		`{"rules":[{"action":"FailJob","onExitCodes":{"containerName":"main","operator":"NotIn","values":[1,2]}}]}`: "",
		`{"rules":[{"action":"Ignore","onPodConditions":[{"type":"DisruptionTarget","status":"True"}]}]}`:           "",
		`{"rules":[]}`:                       "no rules",
		`{"rule":[]}`:                        `did you mean "rules"`,
		`{"rules":[{"action":"FailIndex"}]}`: `action is "FailIndex"`,
		`{"rules":[{"action":"Count"}]}`:     "either onExitCodes or onPodConditions",
		`{"rules":[{"action":"Count","onExitCodes":{"operator":"Is","values":[1]}}]}`: "operator is",
		`{"rules":[{"action":"Count","onExitCodes":{"operator":"In"}}]}`:              "no values",
		`{"rules":[{"action":"Count","onPodConditions":[{"type":"ConfigIssue"}]}]}`:   "only DisruptionTarget",
	} {
		_, err := ParsePolicy([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestSecretsInRecipes holds cache keys to the names of secrets: which ones count, not where they are named.
func TestSecretsInRecipes(t *testing.T) {
	recipe := func(pipeline, step []string) string {
		p := spec.Pipeline{Name: "p", Secrets: pipeline, Steps: []spec.Step{{Name: "s", Run: spec.Run{Python: &spec.Python{Source: "m:f"}}, Secrets: step}}}
		made, err := New(&p, Target{})
		if err != nil {
			t.Fatal(err)
		}
		return made.Steps[0].Recipe
	}
	if recipe([]string{"a", "b"}, nil) != recipe([]string{"b"}, []string{"a", "b"}) {
		t.Error("the same secrets give other recipes when they are named elsewhere")
	}
	if recipe(nil, nil) == recipe(nil, []string{"a"}) || recipe(nil, []string{"b"}) == recipe(nil, []string{"a"}) {
		t.Error("other secrets give the same recipe")
	}
}
