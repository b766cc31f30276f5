package orchestrator_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/proa-ml/proa/orchestrator"
)

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func TestAttemptNameIsALabelForAnyText(t *testing.T) {
	texts := []string{"", "digits", "a b/c", "été à Paris", "日本語", "---", "UPPER_case", strings.Repeat("é x", 100), "\x00\xff"}
	seen := map[string]bool{}
	for _, pipeline := range texts {
		for _, step := range texts {
			for _, number := range []int{1, 2, 123456789} {
				name := orchestrator.AttemptName(pipeline, "0123456789abcdef", step, number)
				if len(name) > orchestrator.MaxName || !label.MatchString(name) {
					t.Errorf("AttemptName(%q, %q, %d) = %q, not a DNS-1123 label", pipeline, step, number, name)
				}
				if seen[name] {
					t.Errorf("AttemptName(%q, %q, %d) = %q, which another attempt has", pipeline, step, number, name)
				}
				seen[name] = true
			}
		}
	}
}

func TestAttemptNameIsReadableAndStable(t *testing.T) {
	got := orchestrator.AttemptName("Digits pipeline", "0123456789abcdef", "skew_comparison", 2)
	if want := "digits-pipeline-skew-comparison-2-"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want the prefix %q", got, want)
	}
	if again := orchestrator.AttemptName("Digits pipeline", "0123456789abcdef", "skew_comparison", 2); again != got {
		t.Errorf("the same arguments gave %q and %q", got, again)
	}
}

func TestSlug(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"trainer", 20, "trainer"},
		{"__Skew  Comparison__", 20, "skew-comparison"},
		{"abc-def", 4, "abc"},
		{"", 5, "x"},
		{"日本", 5, "x"},
	} {
		if got := orchestrator.Slug(c.text, c.limit); got != c.want {
			t.Errorf("Slug(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}
