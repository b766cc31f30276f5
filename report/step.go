package report

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/inspect"
)

// step is what the page says of a step.
func (f *facts) step(ctx context.Context, s inspect.Step, number int) (stepView, error) {
	n := f.graph.Nodes[number]
	v := stepView{
		ID: stepID(number), Name: clean(s.Name), Status: s.Status, Open: s.Status == "failed", Took: f.took(s.Started, s.Ended),
		Failure: f.failure(s.Failure), Bars: f.bars(n), Tries: f.tryViews(f.tries[s.Name]),
	}
	if v.Status == "" {
		v.Status = "waiting"
	}
	if tries := f.tries[s.Name]; s.Status == "pending" && len(tries) > 0 {
		v.Because = clean(tries[len(tries)-1].Reason)
	}
	if s.Status == "skipped" {
		v.Because = "Skipped, because a step before it did not succeed."
	}
	f.fromPlan(&v, s)
	if s.CachedFrom != "" {
		v.CachedFrom = clean(f.origins.find(ctx, f.Metadata, s.CachedFrom).Name)
	}
	if f.Artifacts == nil {
		return v, nil
	}
	v.Artifacts = f.artifacts(ctx, s)
	return v, f.log(ctx, &v, s)
}

// fromPlan adds what the step was to do.
func (f *facts) fromPlan(v *stepView, s inspect.Step) {
	p := f.plan.Step(s.Name)
	if p == nil {
		return
	}
	v.Parameters = values(p.Parameters)
	var inputs []string
	for _, name := range slices.Sorted(maps.Keys(p.Inputs)) {
		in := p.Inputs[name]
		from := fmt.Sprintf("%.*s", shownDigest, in.Artifact)
		if in.Step != "" {
			from = in.Step + "." + in.Output
		}
		inputs = append(inputs, name+" = "+from)
	}
	v.Facts = []pair{{"code", p.Source}, {"inputs", strings.Join(inputs, ", ")}, {"after", strings.Join(p.Needs, ", ")}, {"image", f.plan.ImageRef(p.Image)}}
	if tries := f.tries[s.Name]; len(tries) > 0 {
		usage := tries[len(tries)-1].Usage
		if usage.PeakRSS > 0 {
			v.Facts = append(v.Facts, pair{"memory", inspect.Size(usage.PeakRSS) + " at most"})
		}
		if usage.CPU > 0 {
			v.Facts = append(v.Facts, pair{"CPU time", inspect.Duration(usage.CPU)})
		}
		var phases []string
		for _, span := range tries[len(tries)-1].Spans {
			phases = append(phases, string(span.Phase)+" "+inspect.Duration(span.End.Sub(span.Start)))
		}
		v.Facts = append(v.Facts, pair{"time", strings.Join(phases, ", ")})
	}
	if tries := f.tries[s.Name]; len(tries) > mostTries {
		v.Facts = append(v.Facts, pair{"attempts", fmt.Sprintf("%d, of which the last %d are shown", len(tries), mostTries)})
	}
	v.Facts = tidy(v.Facts)
}

// log adds the end of what the step wrote.
func (f *facts) log(ctx context.Context, v *stepView, s inspect.Step) error {
	limit := f.limit(allLogs, oneLog)
	attempt := f.attempt(ctx, s)
	if attempt.Name == "" {
		return nil
	}
	text, whole, err := inspect.LogTail(ctx, f.Artifacts, attempt, int64(limit))
	if err != nil {
		v.LogMore = clean("The log can't be read: " + err.Error())
		v.Log = "–"
		return ctx.Err()
	}
	v.Log = tail(strings.TrimRight(terminal(string(text)), "\n "), limit)
	if whole > int64(len(text)) || strings.HasPrefix(v.Log, "…") {
		v.LogMore = fmt.Sprintf("The end of %s. All of it: proa logs %s %s", inspect.Size(whole), clean(f.run.Name), quoted(clean(s.Name)))
	}
	return nil
}

func quoted(name string) string {
	if strings.ContainsAny(name, " \t'\"$`\\|&;<>()*?[]#~=%!{}\n") {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

// values are parameters as they are written in JSON.
func values(all map[string]json.RawMessage) []pair {
	var pairs []pair
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, pair{name, string(all[name])})
	}
	return tidy(pairs)
}

// took is how long something took, up to now if it goes on.
func (f *facts) took(started, ended time.Time) string {
	switch {
	case started.IsZero():
		return ""
	case ended.IsZero():
		ended = f.Now
	}
	return inspect.Duration(ended.Sub(started))
}
