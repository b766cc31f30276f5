package inspect

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

func TestDiff(t *testing.T) {
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	kubernetes := plan.Target{Images: true, Base: "python:{python}-slim", Platform: "linux/amd64"}
	tests := map[string]struct {
		a, b, both func(*twin)
		want       []string
		// same says that the runs differ in nothing that counts.
		same bool
	}{
		"nothing": {same: true, want: []string{"equal: load,train,report"}},
		"taken from the cache": {
			b: func(w *twin) {
				*w.rows["load"] = driver.Step{Status: "cached", CachedFrom: "1", Outputs: w.rows["load"].Outputs}
			},
			same: true, want: []string{"equal: load,train,report"},
		},
		"code, which gives an equal result": {
			b: func(w *twin) {
				w.spec.Steps[1].Run.Python.Digest = digest("4")
				w.spec.Source.Code[digest("4")] = map[string]string{"run:train": "21", "run:RATE": "23", "lib:helper": "24"}
			},
			want: []string{"train: code: 2 -> 4, import numpy removed, lib:helper added, run:RATE changed", "equal: load,report"},
		},
		"code of which no parts are known": {
			b:    func(w *twin) { w.spec.Steps[2].Run.Python.Digest = digest("4") },
			want: []string{"report: code: 3 -> 4", "equal: load,train"},
		},
		"a parameter, down to the last step": {
			b: func(w *twin) {
				w.spec.Parameters = map[string]json.RawMessage{"rows": raw("3")}
				w.spec.Steps[0].Parameters = map[string]json.RawMessage{"rows": raw("3")}
				w.gives("load", "d", "[1, 2, 3]")
				w.gives("train", "e", "0.6")
			},
			want: []string{
				"run: parameter rows:  -> 3",
				"load: parameter rows: 2 -> 3", "load: output output: a -> d ([1, 2] -> [1, 2, 3])",
				"train: input data: a -> d ([1, 2] -> [1, 2, 3]), because the parameter rows of load changed", "train: output output: b -> e (0.5 -> 0.6)",
				"report: input model: b -> e (0.5 -> 0.6), because the parameter rows of load changed",
				"equal: ",
			},
		},
		"two causes": {
			b: func(w *twin) {
				w.spec.Steps[0].Parameters["sort"] = raw("true")
				w.spec.Steps[1].Run.Python.Source = "run:fit"
				w.gives("load", "d", "[1, 2]")
				w.gives("train", "e", "0.6")
			},
			want: []string{
				"load: parameter sort:  -> true", "load: output output: a -> d ([1, 2] -> [1, 2])",
				"train: function: run:train -> run:fit", "train: input data: a -> d ([1, 2] -> [1, 2]), because the parameter sort of load changed",
				"train: output output: b -> e (0.5 -> 0.6)",
				"report: input model: b -> e (0.5 -> 0.6), because the function of train changed, because the parameter sort of load changed",
				"equal: ",
			},
		},
		"a result that varies": {
			b: func(w *twin) { w.gives("load", "d", "[2, 1]") },
			want: []string{
				"load: output output: a -> d ([1, 2] -> [2, 1]), because load gave another result of equal work",
				"train: input data: a -> d ([1, 2] -> [2, 1]), because load gave another result of equal work",
				"equal: report",
			},
		},
		"an input from elsewhere": {
			b: func(w *twin) {
				w.spec.Steps[1].Inputs["data"] = spec.Input{Artifact: digest("d")}
				w.gives("train", "e", "0.6")
			},
			want: []string{
				"train: source data: load.output -> d", "train: input data: a -> d ([1, 2] -> ), because the input data of train comes from elsewhere",
				"train: output output: b -> e (0.5 -> 0.6)",
				"report: input model: b -> e (0.5 -> 0.6), because the input data of train comes from elsewhere",
				"equal: load",
			},
		},
		"another artifact": {
			a: func(w *twin) { w.spec.Steps[1].Inputs["data"] = spec.Input{Artifact: digest("d")} },
			b: func(w *twin) {
				w.spec.Steps[1].Inputs["data"] = spec.Input{Artifact: digest("e")}
				w.gives("train", "f", "0.6")
			},
			want: []string{
				"train: input data: d -> e", "train: output output: b -> f (0.5 -> 0.6)",
				"report: input model: b -> f (0.5 -> 0.6), because the input data of train changed", "equal: load",
			},
		},
		"requirements": {
			b: func(w *twin) {
				w.spec.Settings.Docker.Requirements = []string{"scikit_learn==1.5", "polars"}
				w.spec.Settings.Docker.IndexOptions = []string{"--index-url https://mirror.example.com/simple"}
				w.gives("report", "d", "good")
			},
			want: []string{
				"environment of load,train,report: requirement pandas: pandas -> ",
				"environment of load,train,report: requirement polars:  -> polars",
				"environment of load,train,report: requirement scikit-learn: scikit-learn==1.4 -> scikit_learn==1.5",
				"environment of load,train,report: index option --index-url:  -> --index-url https://mirror.example.com/simple",
				"report: output output: c -> d (fine -> good), because the environment of report changed",
				"equal: ",
			},
		},
		"a step's own environment": {
			b: func(w *twin) {
				w.spec.Source.Python = "3.11.9"
				w.spec.Steps[1].Settings = &spec.Settings{Docker: &spec.Docker{
					RuntimeEnvironment: map[string]string{"THREADS": "2"}, AptPackages: []string{"libgomp1=12"},
					Lock: &spec.Lock{Path: "uv.lock", Digest: digest("f")}, User: "1000"}}
			},
			want: []string{
				"run: python: 3.11.7 -> 3.11.9",
				"environment of train: apt package libgomp1:  -> libgomp1=12",
				"environment of train: lock file digest:  -> f", "environment of train: lock file path:  -> uv.lock",
				"environment of train: user:  -> 1000", "environment of train: variable THREADS:  -> 2",
				"equal: load,report",
			},
		},
		"another Python": {
			b:    func(w *twin) { w.spec.Source.Python = "3.12.1" },
			want: []string{"environment of load,train,report: python: 3.11 -> 3.12", "equal: "},
		},
		"an image of which only the code differs": {
			a: func(w *twin) {
				w.target, w.change = kubernetes, func(p *plan.Plan) { p.Images[0].Ref, p.Revision = "r@"+digest("1"), "abc" }
			},
			b: func(w *twin) {
				w.target, w.change = kubernetes, func(p *plan.Plan) { p.Images[0].Ref, p.Revision = "r@"+digest("2"), "def" }
			},
			same: true, want: []string{"run: revision: abc -> def", "run: image: r@1 -> r@2", "equal: load,train,report"},
		},
		"several images": {
			a: func(w *twin) {
				w.target, w.change = kubernetes, func(p *plan.Plan) { p.Images[0].Ref, p.Images[1].Ref = "r@"+digest("1"), "r@"+digest("2") }
			},
			b: func(w *twin) {
				w.target, w.change = kubernetes, func(p *plan.Plan) { p.Images[0].Ref, p.Images[1].Ref = "r@"+digest("3"), "r@"+digest("4") }
			},
			both: func(w *twin) { w.spec.Steps[1].Settings = &spec.Settings{Docker: &spec.Docker{User: "1000"}} },
			same: true, want: []string{"run: image of load, report: r@1 -> r@3", "run: image of train: r@2 -> r@4", "equal: load,train,report"},
		},
		"on this machine and on a cluster": {
			b: func(w *twin) {
				w.target, w.change = kubernetes, func(p *plan.Plan) { p.Images[0].Ref = "r@" + digest("2") }
			},
			same: true, want: []string{"run: image:  -> r@2", "equal: load,train,report"},
		},
		"how it is run": {
			a: func(w *twin) { w.spec.Steps[1].Resources = &spec.Resources{Memory: "1Gi", CPU: "2"} },
			b: func(w *twin) {
				off := false
				w.spec.Steps[1].Resources = &spec.Resources{Memory: "2Gi", CPU: "2"}
				w.spec.Steps[1].Retry, w.spec.Steps[1].Timeout, w.spec.Steps[1].Cache = &spec.Retry{Max: 2}, "1h", &off
				w.spec.Steps[1].Secrets, w.spec.Steps[2].After = []string{"db"}, []string{"load"}
				w.spec.Steps[1].Settings = &spec.Settings{Orchestrator: map[string]json.RawMessage{"isolation": raw(`"process"`)}}
			},
			want: []string{
				"train: secrets:  -> db", "train: resource memory: 1Gi -> 2Gi", `train: setting isolation:  -> "process"`,
				"train: retry max:  -> 2", "train: timeout:  -> 1h", "train: cache: on -> off", "report: after:  -> load", "equal: load",
			},
		},
		"outputs that are declared otherwise": {
			b: func(w *twin) {
				w.spec.Steps[2].Outputs = []spec.Output{{Name: "output", Type: "builtins.str", Materializer: "run:Own", Digest: digest("d")}}
			},
			want: []string{"report: type output:  -> builtins.str", "report: materializer output:  -> run:Own d", "equal: load,train"},
		},
		"a failure": {
			a: func(w *twin) {
				w.status = "failed"
				*w.rows["train"] = driver.Step{Status: "failed", Attempt: 2, Failure: &step.Failure{Kind: step.FailureUser, Type: "ValueError", Message: "a bug"}, Started: begin, Ended: begin.Add(time.Second)}
				*w.rows["report"] = driver.Step{Status: "skipped"}
			},
			want: []string{
				"train: status: failed (user): ValueError: a bug -> succeeded", "train: attempts: 2 -> 1", "train: took: 1.0s -> 400ms", "train: output output:  -> b ( -> 0.5)",
				"report: status: skipped -> succeeded", "report: output output:  -> c ( -> fine)",
				"equal: load",
			},
		},
		"steps that come and go": {
			b: func(w *twin) {
				w.spec.Steps[1].Name = "fit"
				w.rows["fit"] = w.rows["train"]
				w.spec.Steps[2].Inputs["model"] = spec.Input{Step: "fit", Output: "output"}
				w.gives("fit", "d", "0.7")
			},
			want: []string{
				"fit: only in b", "report: source model: train.output -> fit.output",
				"report: input model: b -> d (0.5 -> 0.7), because the input model of report comes from elsewhere",
				"train: only in a", "equal: load",
			},
		},
		"much more time, and a little": {
			b: func(w *twin) {
				w.rows["load"].Ended = begin.Add(3 * time.Second)
				w.rows["train"].Ended = begin.Add(900 * time.Millisecond)
			},
			same: true, want: []string{"load: took: 400ms -> 3.0s", "equal: train,report"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, b, m := newTwin(), newTwin(), memory.New()
			if test.both != nil {
				test.both(a)
				test.both(b)
			}
			if test.a != nil {
				test.a(a)
			}
			if test.b != nil {
				test.b(b)
			}
			a.add(t, m, "1")
			b.add(t, m, "2")
			d, err := ReadDiff(t.Context(), m, "run-1", "2")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, told(d)); diff != "" {
				t.Error(diff)
			}
			if d.Differs() == test.same {
				t.Errorf("the runs differ: %v", d.Differs())
			}
			if back, err := ReadDiff(t.Context(), m, "2", "1"); err != nil || back.Differs() != d.Differs() || len(back.Equal) != len(d.Equal) {
				t.Errorf("the other way round: %v, %v", told(back), err)
			}
		})
	}
}

// TestDiffKnowsTheWholeEnvironment fails when a field is added to an image and nobody says what it is called in a diff.
func TestDiffKnowsTheWholeEnvironment(t *testing.T) {
	none := map[string]bool{"key": true, "steps": true, "code": true, "dockerignore": true, "repository": true, "tag": true,
		"skipBuild": true, "preventReuse": true, "ref": true, "codeDigest": true}
	called := map[string]string{}
	for _, w := range words() {
		called[w.field] = w.what
	}
	kind := reflect.TypeFor[plan.Image]()
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if none[name] == (called[name] != "") {
			t.Errorf("the field %q is either part of the environment, and in words, or none", name)
		}
	}
}

func TestDiffWithoutRun(t *testing.T) {
	m := memory.New()
	newTwin().add(t, m, "1")
	for _, pair := range [][2]string{{"1", "other"}, {"other", "1"}} {
		if _, err := ReadDiff(t.Context(), m, pair[0], pair[1]); err == nil || !strings.Contains(err.Error(), `"other"`) {
			t.Errorf("got %v", err)
		}
	}
}
