package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// layout changes when the same inputs make another environment than before.
const layout = 3

// buildKey names the environment by everything that goes into it. What uv will resolve is not known yet, and isn't
// part of it: an environment stays as it was first resolved until one of its inputs changes.
func (j *job) buildKey() string {
	data, err := json.Marshal(struct {
		Layout       int
		Base         string
		Platform     string
		Python       string
		Bytecode     bool
		Requirements string
		Environment  map[string]string
		User         string
		Files        string
		Compression  string
	}{layout, j.base.digest, j.r.Platform, j.r.Python, j.bytecode, j.wanted.key(), j.r.Environment, j.r.User, j.parts.digest,
		j.options.Compression})
	if err != nil {
		return "" // strings and maps of strings always marshal
	}
	return sum(string(data))
}

// sorted trims, drops empty lines and repetitions, and sorts.
func sorted(lines []string) []string {
	var out []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:20])
}
