package prune

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// sum is a digest's 32 bytes, which is what memory has to be spent on per object.
type sum [32]byte

func parseSum(digest string) (sum, bool) {
	var s sum
	text := strings.TrimPrefix(digest, "sha256:")
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(s) || strings.ToLower(text) != text {
		return s, false
	}
	copy(s[:], raw)
	return s, true
}

func (s sum) digest() string { return "sha256:" + hex.EncodeToString(s[:]) }

// why says who refers to something.
type why uint8

const (
	byResult why = 1 << iota // a cached result whose run was deleted
	byRun                    // anything else
)

// marks are what is referred to.
type marks struct {
	mu sync.Mutex
	// runs are those that exist; active those that go on, by id.
	runs   map[string]bool
	active map[string]string
	// blobs are the files of artifacts and their manifests. roots are the manifests that weren't read yet.
	blobs map[sum]why
	roots map[sum]why
	code  map[sum]bool
}

func newMarks() *marks {
	return &marks{runs: map[string]bool{}, active: map[string]string{}, blobs: map[sum]why{}, roots: map[sum]why{}, code: map[sum]bool{}}
}

// artifact marks an artifact; what it consists of is marked later.
func (m *marks) artifact(digest string, because why) {
	s, ok := parseSum(digest)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs[s]&because == 0 {
		m.blobs[s] |= because
		m.roots[s] |= because
	}
}

func (m *marks) artifacts(all map[string]step.Artifact, because why) {
	for _, a := range all {
		m.artifact(a.Digest, because)
	}
}

func (m *marks) blob(digest string, because why) {
	if s, ok := parseSum(digest); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.blobs[s] |= because
	}
}

func (m *marks) archive(digest string) {
	if s, ok := parseSum(digest); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.code[s] = true
	}
}

// plan marks what runs of a plan need: the code, artifacts that are given, and those that were taken over.
func (m *marks) plan(frozen json.RawMessage) error {
	if len(frozen) == 0 {
		return nil
	}
	var p plan.Plan
	if err := json.Unmarshal(frozen, &p); err != nil {
		return fmt.Errorf("reading a plan: %w", err)
	}
	for _, i := range p.Images {
		m.archive(i.CodeDigest)
	}
	for _, s := range p.Steps {
		for _, in := range s.Inputs {
			m.artifact(in.Artifact, byRun)
		}
		if s.Adopted == nil {
			continue
		}
		for name, raw := range s.Adopted.Outputs {
			var a step.Artifact
			if err := json.Unmarshal(raw, &a); err != nil {
				return fmt.Errorf("reading the output %q that step %q takes over: %w", name, s.Name, err)
			}
			m.artifact(a.Digest, byRun)
		}
	}
	return nil
}

// take returns the manifests that have to be read.
func (m *marks) take() map[sum]why {
	m.mu.Lock()
	defer m.mu.Unlock()
	roots := m.roots
	m.roots = map[sum]why{}
	return roots
}

// exists notes a run; name is empty if it has ended.
func (m *marks) exists(id, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs[id] = true
	if name == "" {
		delete(m.active, id)
		return
	}
	m.active[id] = name
}

func (m *marks) known(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[id]
}

func (m *marks) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.active) > 0
}

func (m *marks) activeNames() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Values(m.active))))
}

// class says what an object of the store is.
type class int

const (
	unknown class = iota
	own           // what the store keeps of itself
	file          // of an artifact, or its manifest
	archive       // of code
	ofRun
	remains // of a writer, or a check, that was killed
)

// classify tells from a key what an object is and whether something refers to it. Only keys of exactly the form that proa
// makes count: a folder of another store in this one is not touched.
func (m *marks) classify(key string, partial bool) (class, why) {
	folder, _, _ := strings.Cut(key, "/")
	if partial {
		if folder == "blobs" || folder == "runs" || folder == "code" {
			return remains, 0
		}
		return unknown, 0
	}
	switch folder {
	case "identity.json", "metadata-store.json", "metadata-stores", "schedules":
		return own, byRun
	case "probe":
		return remains, 0
	case "blobs":
		s, ok := parseSum(path.Base(key))
		if !ok || key != "blobs/sha256/"+hex.EncodeToString(s[:1])+"/"+hex.EncodeToString(s[:]) {
			return unknown, 0
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		return file, m.blobs[s]
	case "code":
		text, _ := cut(key, "code/sha256/", ".tar.gz")
		s, ok := parseSum(text)
		if !ok {
			return unknown, 0
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.code[s] {
			return archive, byRun
		}
		return archive, 0
	case "runs":
		id, _, _ := strings.Cut(strings.TrimPrefix(key, "runs/"), "/")
		if !isRun(id) {
			return unknown, 0
		}
		if m.known(id) {
			return ofRun, byRun
		}
		return ofRun, 0
	}
	return unknown, 0
}

// isRun reports whether it is the id of a run.
func isRun(id string) bool {
	return len(id) == 16 && strings.Trim(id, "0123456789abcdef") == ""
}
