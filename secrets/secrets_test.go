package secrets_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proa-ml/proa/secrets"
	"github.com/proa-ml/proa/secrets/local"
)

func open(t *testing.T) *secrets.Manager {
	t.Helper()
	return secrets.New(local.New(local.Config{Path: filepath.Join(t.TempDir(), "secrets.json")}, local.Options{Rand: rand.Reader}), "m")
}

// TestRefusals has what can't be kept: nothing of it is, and no error repeats a value.
func TestRefusals(t *testing.T) {
	large := strings.Repeat("canary", 50_000)
	for name, c := range map[string]struct {
		secret string
		values map[string]string
		want   string
	}{
		"name":      {"a.b", map[string]string{"k": "canary"}, `"a.b" can't be the name of a secret`},
		"long name": {strings.Repeat("x", 129), map[string]string{"k": "canary"}, "at most 128 long"},
		"key":       {"a", map[string]string{"k k": "canary"}, `"k k" can't be a key`},
		"no key":    {"a", nil, "would have no key"},
		"NUL":       {"a", map[string]string{"k": "canary\x00"}, "is not text"},
		"bytes":     {"a", map[string]string{"k": "canary\xff"}, "is not text"},
		"too large": {"a", map[string]string{"k": large}, "is too large: 300000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t)
			err := m.Create(t.Context(), c.secret, c.values)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
			if names, err := m.Names(t.Context()); err != nil || len(names) > 0 {
				t.Errorf("kept are %v, %v", names, err)
			}
		})
	}
}

// TestUpdateIsWholeOrNot has a change of which one part is refused.
func TestUpdateIsWholeOrNot(t *testing.T) {
	m := open(t)
	if err := m.Create(t.Context(), "a", map[string]string{"x": "1", "y": "2"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Update(t.Context(), "a", map[string]string{"x": "3"}, []string{"nothing"}); err == nil {
		t.Error("a key that isn't there was taken away")
	}
	if err := m.Set(t.Context(), "a", map[string]string{"y": "4"}); err != nil {
		t.Error(err)
	}
	got, err := m.Get(t.Context(), "a")
	if want := fmt.Sprint(map[string]string{"x": "1", "y": "4"}); err != nil || fmt.Sprint(got) != want {
		t.Errorf("left is %v, %v, not %s", got, err, want)
	}
}
