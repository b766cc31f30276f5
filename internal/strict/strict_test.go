package strict

import (
	"encoding/json"
	"strings"
	"testing"
)

type inner struct {
	Memory string `json:"memory"`
	CPU    string `json:"cpu,omitempty"`
}

type document struct {
	Name  string                     `json:"name"`
	Items []inner                    `json:"items,omitempty"`
	ByKey map[string]*inner          `json:"byKey,omitempty"`
	Raw   map[string]json.RawMessage `json:"raw,omitempty"`
}

func TestJSON(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"good":          {`{"name":"x","items":[{"memory":"1Gi"}],"raw":{"anything":{"goes":1}}}`, ""},
		"nearest":       {`{"nmae":"x"}`, `unknown field "nmae" in the document: did you mean "name"?`},
		"in a list":     {`{"name":"x","items":[{},{"memroy":"1Gi"}]}`, `unknown field "memroy" in items[1]: did you mean "memory"?`},
		"in a map":      {`{"byKey":{"a":{"gpu":1}}}`, `unknown field "gpu" in byKey.a: did you mean "cpu"?`},
		"nothing near":  {`{"colour":"red"}`, `unknown field "colour" in the document: known fields are byKey, items, name, raw`},
		"wrong type":    {"{\n\"name\": 3}", "line 2: name must be a string, not a number"},
		"syntax":        {"{\n\"name\": }", "line 2: "},
		"cut":           {`{"name": "x`, "cut off"},
		"trailing text": {"{}\n{}", "line 2: more text"},
		"case":          {`{"Name":"x"}`, `did you mean "name"?`},
	} {
		t.Run(name, func(t *testing.T) {
			var d document
			err := JSON([]byte(tt.in), &d)
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("unexpected error: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	known := []string{"kubernetes_context", "kubernetes_namespace", "synchronous"}
	for word, want := range map[string]string{
		"kubernetes-contxt": "kubernetes_context",
		"syncronous":        "synchronous",
		"zebra":             "",
		"":                  "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
