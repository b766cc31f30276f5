package spec

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema of a spec, for editors and for SDKs in other languages. It is generated from this
// package's types and their comments.
func Schema() []byte { return append([]byte(nil), schema...) }
