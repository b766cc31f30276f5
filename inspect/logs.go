package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

// Objects reads objects of the artifact store; *artifact.Store does.
type Objects interface {
	Reader(ctx context.Context, key string) (io.ReadCloser, error)
}

var _ Objects = (*artifact.Store)(nil)

// Attempt names the attempt whose log a step has: its own latest, or that of the run its result was taken from. It is
// empty if there is none.
type Attempt struct{ Run, Name string }

// LogOf finds the attempt whose log belongs to a step. A step that was taken from a run that took it from another is
// followed to where it ran.
func LogOf(ctx context.Context, m driver.Reader, run, stepName string) (Attempt, error) {
	for range 100 { // cached entries point at runs that ran, so one turn is usual
		steps, err := m.Steps(ctx, run)
		if err != nil {
			return Attempt{}, fmt.Errorf("reading the steps of run %q: %w", run, err)
		}
		i := slices.IndexFunc(steps, func(s driver.Step) bool { return s.Name == stepName })
		switch {
		case i < 0:
			return Attempt{}, fmt.Errorf("step %q of run %q: %w", stepName, run, driver.ErrNotFound)
		case steps[i].AttemptName != "":
			return Attempt{Run: run, Name: steps[i].AttemptName}, nil
		case steps[i].CachedFrom == "" || steps[i].CachedFrom == run:
			return Attempt{}, nil
		}
		run = steps[i].CachedFrom
	}
	return Attempt{}, nil
}

// CopyLog writes an attempt's log to w: the whole of it or, while it is growing, what is stored so far (see
// step.LogKey). An attempt that wrote nothing has an empty log.
func CopyLog(ctx context.Context, objects Objects, a Attempt, w io.Writer) error {
	_, err := CopyLogFrom(ctx, objects, a, 0, w)
	return err
}

// CopyLogFrom writes an attempt's log to w from an offset on, and returns the offset behind what it wrote. Of a growing log
// it reads only the parts that are new.
func CopyLogFrom(ctx context.Context, objects Objects, a Attempt, from int64, w io.Writer) (int64, error) {
	if a.Name == "" {
		return from, nil
	}
	whole := step.LogKey(a.Run, a.Name)
	rest := &skipper{to: w, skip: from}
	if found, err := copyObject(ctx, objects, whole, rest); found || err != nil {
		return from + rest.written, err
	}
	first := int(from / step.LogPartSize)
	rest.skip = from - int64(first)*step.LogPartSize
	for n := first; ; n++ {
		found, err := copyObject(ctx, objects, step.LogPartKey(a.Run, a.Name, n), rest)
		if err != nil || !found && n > first {
			return from + rest.written, err
		}
		if !found { // it may have become whole just now
			rest.skip = from
			_, err := copyObject(ctx, objects, whole, rest)
			return from + rest.written, err
		}
	}
}

// skipper drops the first bytes that are written to it.
type skipper struct {
	to            io.Writer
	skip, written int64
}

func (s *skipper) Write(p []byte) (int, error) {
	drop := min(s.skip, int64(len(p)))
	s.skip -= drop
	n, err := s.to.Write(p[drop:])
	s.written += int64(n)
	return int(drop) + n, err
}

func copyObject(ctx context.Context, objects Objects, key string, w io.Writer) (found bool, err error) {
	r, err := objects.Reader(ctx, key)
	if errors.Is(err, artifact.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the log: %w", err)
	}
	_, err = io.Copy(w, r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return true, fmt.Errorf("reading the log: %w", err)
	}
	return true, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// LogTail returns the end of an attempt's log, at most that many bytes, and the size of the whole.
func LogTail(ctx context.Context, store *artifact.Store, a Attempt, most int64) (end []byte, size int64, err error) {
	end, size, err = store.Tail(ctx, step.LogKey(a.Run, a.Name), most)
	if !errors.Is(err, artifact.ErrNotFound) {
		return end, size, err
	}
	last := &lastBytes{most: int(most)} // it is growing, or was when its writer was killed
	size, err = CopyLogFrom(ctx, store, a, 0, last)
	return last.data, size, err
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct {
	most int
	data []byte
}

func (l *lastBytes) Write(p []byte) (int, error) {
	l.data = append(l.data, p...)
	if over := len(l.data) - l.most; over > 0 {
		l.data = l.data[over:]
	}
	return len(p), nil
}
