// Package report writes a run as one HTML page that needs nothing else: no network, no scripts. Whatever a run says of itself
// is escaped, and however long it is, the page stays small: of what is long there is the end, or the beginning, and the
// command that shows the rest.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// Sources are what a page is made of.
type Sources struct {
	Metadata driver.Reader
	// Artifacts holds logs and outputs; nil leaves them out.
	Artifacts *artifact.Store
	Now       time.Time
	// Version is proa's, for the page's foot.
	Version string
}

// Limits of a page, in bytes of its text. What there is for all steps is shared out among them.
const (
	allLogs, oneLog               = 900_000, 24_000
	allTracebacks, oneTrace       = 400_000, 8_000
	allPreviews, onePreview       = 400_000, 2_500
	allImages, oneImage           = 1_000_000, 250_000
	oneValue                      = 300
	mostPairs                     = 40
	mostOutputs                   = 20
	mostSteps                     = 2000
	mostTries                     = 12
	least                         = 200
	readers                       = 12
	tableRows, tableColumns       = 11, 12
	shownDigest                   = 19
	mostArtifactBytes       int64 = 1 << 20
)

// Write writes the page of a run, by id or name. The error is driver.ErrNotFound if there is none.
func Write(ctx context.Context, s Sources, idOrName string, w io.Writer) error {
	f, err := read(ctx, s, idOrName)
	if err != nil {
		return err
	}
	p, err := f.page(ctx)
	if err != nil {
		return err
	}
	if err := page.Execute(w, p); err != nil {
		return fmt.Errorf("writing the page of run %q: %w", idOrName, err)
	}
	return nil
}

// facts are all that is read of a run.
type facts struct {
	Sources
	row     driver.Run
	run     inspect.Run
	spec    spec.Pipeline
	plan    plan.Plan
	graph   inspect.Graph
	tries   map[string][]inspect.Try
	origins origins
	// share is how many steps share what is bounded for all.
	share int
}

func read(ctx context.Context, s Sources, idOrName string) (*facts, error) {
	f := &facts{Sources: s}
	var err error
	if f.row, err = s.Metadata.Run(ctx, idOrName); err != nil {
		return nil, fmt.Errorf("reading run %q: %w", idOrName, err)
	}
	if f.run, err = inspect.Read(ctx, s.Metadata, f.row.ID); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(f.row.Spec, &f.spec); err != nil {
		return nil, fmt.Errorf("reading the spec of run %q: %w", idOrName, err)
	}
	if err := json.Unmarshal(f.row.Plan, &f.plan); err != nil {
		return nil, fmt.Errorf("reading the plan of run %q: %w", idOrName, err)
	}
	if f.graph, err = inspect.ReadGraph(ctx, s.Metadata, f.row.ID); err != nil {
		return nil, err
	}
	if f.tries, err = inspect.ReadTries(ctx, s.Metadata, f.row.ID, s.Now); err != nil {
		return nil, err
	}
	f.graph.AddTries(f.tries)
	f.share = max(len(f.run.Steps), 1)
	return f, nil
}

// limit is what each step may have of something that is bounded for all steps.
func (f *facts) limit(all, one int) int { return max(min(one, all/f.share), least) }

// remedy says what to do about a failure.
func remedy(kind step.FailureKind) []words {
	var parts []words
	for i, text := range strings.Split(kind.Remedy(), "`") {
		if text != "" {
			parts = append(parts, words{text, i%2 == 1})
		}
	}
	return parts
}
