package spec

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/invopop/jsonschema"
)

var update = flag.Bool("update", false, "write schema.json from the types")

// TestSchema keeps schema.json equal to the types.
func TestSchema(t *testing.T) {
	r := &jsonschema.Reflector{BaseSchemaID: "https://proa-ml.github.io/schema/", FieldNameTag: "json"}
	if err := r.AddGoComments("github.com/proa-ml/proa/spec", "./"); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(r.Reflect(&Pipeline{}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, Schema()) {
		t.Error("schema.json differs from the types: run `go test ./spec -update`")
	}
}
