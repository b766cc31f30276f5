package run

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// shown keeps the pieces of logs that an observer gets.
type shown struct {
	silent
	pieces []string
}

func (s *shown) Log(step string, attempt int, offset int64, data []byte) {
	s.pieces = append(s.pieces, fmt.Sprintf("%s/%d@%d %s", step, attempt, offset, data))
}

// stored is an artifact store that holds logs.
type stored struct {
	Artifacts
	objects map[string]string
}

func (s stored) Reader(_ context.Context, key string) (io.ReadCloser, error) {
	if text, ok := s.objects[key]; ok {
		return io.NopCloser(strings.NewReader(text)), nil
	}
	return nil, fmt.Errorf("%s: %w", key, artifact.ErrNotFound)
}

func TestLogbook(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", 4*maxCatchUp/100)
	cut := long[len(long)-maxCatchUp:]
	cut = cut[strings.Index(cut, "\n")+1:]
	for name, c := range map[string]struct {
		live    func(*logbook)
		objects map[string]string
		want    []string
	}{
		"nothing written": {},
		"all arrived": {
			live:    func(b *logbook) { b.add("n", 0, []byte("one\n")) },
			objects: map[string]string{step.LogKey("r", "n"): "one\n"},
			want:    []string{"a/1@0 one\n"},
		},
		"the end is missing": {
			live:    func(b *logbook) { b.add("n", 0, []byte("one\n")) },
			objects: map[string]string{step.LogKey("r", "n"): "one\ntwo\n"},
			want:    []string{"a/1@0 one\n", "a/1@4 two\n"},
		},
		"doubled and overlapping": {
			live: func(b *logbook) {
				b.add("n", 0, []byte("one\n"))
				b.add("n", 0, []byte("one\n"))
				b.add("n", 2, []byte("e\ntwo\n"))
			},
			want: []string{"a/1@0 one\n", "a/1@4 two\n"},
		},
		"of an attempt that nobody expects": {
			live: func(b *logbook) { b.add("other", 0, []byte("one\n")) },
		},
		"in parts": {
			objects: map[string]string{step.LogPartKey("r", "n", 0): "one\n", step.LogPartKey("r", "n", 1): "two\n", step.LogPartKey("r", "n", 3): "four\n"},
			want:    []string{"a/1@0 one\ntwo\n"},
		},
		"too long": {
			objects: map[string]string{step.LogKey("r", "n"): long},
			want:    []string{fmt.Sprintf("a/1@%d %s", len(long)-len(cut), cut)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := &shown{}
			b := newLogbook(to)
			b.expect("n", "a", 1)
			if c.live != nil {
				c.live(b)
			}
			p := parts{Components: Components{Artifacts: stored{objects: c.objects}}, notice: func(text string) { t.Error(text) }}
			b.catchUp(t.Context(), p, "r", "n")
			if diff := cmp.Diff(c.want, to.pieces); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
			b.forget("n")
			b.add("n", 1<<20, []byte("late"))
			if len(to.pieces) != len(c.want) {
				t.Error("bytes of a closed log were shown")
			}
		})
	}
}

func TestTailKeepsLittle(t *testing.T) {
	end := &tail{}
	for range 100 {
		if _, err := end.Write(bytes.Repeat([]byte("x"), maxCatchUp/3)); err != nil {
			t.Fatal(err)
		}
		if len(end.kept) > 3*maxCatchUp {
			t.Fatalf("%d bytes are kept", len(end.kept))
		}
	}
}
