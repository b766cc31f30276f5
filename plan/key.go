package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// CacheKey completes a step's recipe with the digests of its inputs, by argument name. Two steps with equal keys do
// equal work: the key is made of content, never of ids, so that a re-run step with an equal result still hits downstream.
func CacheKey(recipe string, inputs map[string]string) string {
	return digest(struct {
		Recipe string            `json:"recipe"`
		Inputs map[string]string `json:"inputs"`
	}{recipe, inputs})
}

// digest returns "sha256:…" of v's JSON, in which maps are sorted by key.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("plan: a value that came from JSON can't be encoded: %v", err))
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
