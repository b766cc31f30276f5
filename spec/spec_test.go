package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pipeline builds a valid pipeline of steps given as "name<need,need".
func pipeline(steps ...string) *Pipeline {
	p := &Pipeline{APIVersion: APIVersion, Kind: Kind, Name: "p", Source: Source{Root: "/src", Main: "run.py"}}
	for _, s := range steps {
		name, needs, _ := strings.Cut(s, "<")
		st := Step{Name: name, Run: Run{Python: &Python{Source: "run:" + name, Digest: "sha256:0"}}, Outputs: []Output{{Name: "output"}}}
		if needs != "" {
			st.After = strings.Split(needs, ",")
		}
		p.Steps = append(p.Steps, st)
	}
	return p
}

func TestOrder(t *testing.T) {
	for in, want := range map[string]string{
		"a b c":           "a b c",
		"c<b b<a a":       "a b c",
		"d<b,c b<a c<a a": "a b c d",
		"x a<b b<a y<a":   "x",
	} {
		p := pipeline(strings.Fields(in)...)
		var got []string
		for _, i := range p.Order() {
			got = append(got, p.Steps[i].Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("order of %q is %v, want %s", in, got, want)
		}
	}
}

func TestOrderOfManySteps(t *testing.T) {
	var steps []string
	for i := range 10_000 {
		steps = append(steps, fmt.Sprintf("s%d<s%d", i, i+1))
	}
	p := pipeline(append(steps, "s10000")...)
	order := p.Order()
	if len(order) != 10_001 || p.Steps[order[0]].Name != "s10000" {
		t.Fatalf("got %d steps, first %v", len(order), order[0])
	}
}

func TestCycle(t *testing.T) {
	for in, want := range map[string]string{
		"a<b b<a":           "a -> b -> a",
		"w<c a<c b<a c<b x": "c -> a -> b -> c",
		"a<a":               "a -> a",
		"a b<a":             "",
	} {
		if got := strings.Join(pipeline(strings.Fields(in)...).Cycle(), " -> "); got != want && !sameCycle(got, want) {
			t.Errorf("cycle of %q is %q, want %q", in, got, want)
		}
	}
}

// sameCycle reports whether two cycles are equal but for where they begin.
func sameCycle(a, b string) bool {
	x, y := strings.Split(a, " -> "), strings.Split(b, " -> ")
	for range x {
		x = append(x[1:], x[1])
		if cmp.Equal(x, y) {
			return true
		}
	}
	return false
}

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Pipeline)
		want   []string
	}{
		"good":          {func(p *Pipeline) {}, nil},
		"no name":       {func(p *Pipeline) { p.Name = " " }, []string{"no name"}},
		"no steps":      {func(p *Pipeline) { p.Steps = nil }, []string{`pipeline "p" has no steps`}},
		"same name":     {func(p *Pipeline) { p.Steps[1].Name = "a"; p.Steps[1].After = nil }, []string{`two steps are named "a"`}},
		"unknown after": {func(p *Pipeline) { p.Steps[1].After = []string{"aa"} }, []string{`step "b": after: there is no step "aa": did you mean "a"?`}},
		"unknown input": {func(p *Pipeline) {
			p.Steps[1].Inputs = map[string]Input{"x": {Step: "a", Output: "model"}, "y": {Step: "zzz"}}
		}, []string{`input "x": step "a" has no output "model": it has output`, `input "y": there is no step "zzz"`}},
		"both kinds": {func(p *Pipeline) {
			p.Steps[1].Inputs = map[string]Input{"x": {Step: "a", Output: "output"}}
			p.Steps[1].Parameters = map[string]json.RawMessage{"x": json.RawMessage("1")}
		}, []string{`argument "x" is both`}},
		"bad artifact": {func(p *Pipeline) { p.Steps[1].Inputs = map[string]Input{"x": {Artifact: "sha256:12"}} }, []string{"is not a digest"}},
		"bad timeout":  {func(p *Pipeline) { p.Steps[0].Timeout = "soon" }, []string{`timeout is "soon", not a duration`}},
		"bad retry":    {func(p *Pipeline) { p.Steps[0].Retry = &Retry{Max: -1, Delay: "-1s"} }, []string{"retry.delay", "can't be negative"}},
		"on_oom": {func(p *Pipeline) {
			p.Steps[0].Retry = &Retry{OnOOM: &OnOOM{MemoryFactor: 1, MaxMemory: "1Gi"}}
			p.Steps[1].Retry = &Retry{OnOOM: &OnOOM{MaxMemory: "1Gi"}}
		}, []string{"memory_factor is 1; it must be greater than 1", "set resources.memory"}},
		"outputs":     {func(p *Pipeline) { p.Steps[0].Outputs = []Output{{Name: "output"}, {Name: "output"}, {Name: "a/b"}} }, []string{"two outputs", "can't be a file name"}},
		"cycle":       {func(p *Pipeline) { p.Steps[0].After = []string{"b"} }, []string{"in a cycle: ", " -> "}},
		"no function": {func(p *Pipeline) { p.Steps[0].Run.Python.Source = "run" }, []string{`not "module:function"`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipeline("a", "b<a")
			tt.change(p)
			err := p.Validate()
			if tt.want == nil && err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want %q", err, want)
				}
			}
		})
	}
}

func TestDecode(t *testing.T) {
	good, err := json.Marshal(pipeline("a", "b<a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(good); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"version": {`"proa/v1"`, `"proa/v9"`, `apiVersion is "proa/v9", this proa reads "proa/v1"`},
		"kind":    {`"Pipeline"`, `"Stack"`, `kind is "Stack"`},
		"unknown": {`"after":["a"]`, `"aftr":["a"]`, `unknown field "aftr" in steps[1]: did you mean "after"?`},
	} {
		_, err := Decode([]byte(strings.Replace(string(good), tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want %q", name, err, tt.want)
		}
	}
}

// TestGolden reads every spec that the Python SDK's tests wrote: both sides agree on the format, byte for byte of meaning.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden specs in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var want, got any
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(again, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decoding and encoding again changes it (-file +again):\n%s", diff)
			}
		})
	}
}
