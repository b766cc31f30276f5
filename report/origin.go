package report

import (
	"context"
	"sync"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/metadata/driver"
)

// origins are the runs that results were taken from, each read once.
type origins struct {
	mu   sync.Mutex
	runs map[string]inspect.Run
}

// find returns a run; of one that was deleted it only says so.
func (o *origins) find(ctx context.Context, m driver.Reader, id string) inspect.Run {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, known := o.runs[id]; known {
		return r
	}
	r, err := inspect.Read(ctx, m, id)
	if err != nil {
		r = inspect.Run{Name: id + " (deleted)"}
	}
	if o.runs == nil {
		o.runs = map[string]inspect.Run{}
	}
	o.runs[id] = r
	return r
}

// attempt is the one whose log belongs to a step: its own last one, or that of the step that the result was taken from.
func (f *facts) attempt(ctx context.Context, s inspect.Step) inspect.Attempt {
	if s.Attempt > 0 {
		return inspect.AttemptOf(f.run, s.Name, s.Attempt)
	}
	if s.CachedFrom == "" {
		return inspect.Attempt{}
	}
	from := f.origins.find(ctx, f.Metadata, s.CachedFrom)
	for _, other := range from.Steps {
		if other.Name == s.Name && other.Attempt > 0 {
			return inspect.AttemptOf(from, other.Name, other.Attempt)
		}
	}
	return inspect.Attempt{}
}
