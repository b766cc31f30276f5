package report

import (
	"context"
	_ "embed" // the page's parts
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/step"
)

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style string
	page  = template.Must(template.New("page").Parse(pageText))
)

// view is what the template shows.
type view struct {
	Name, Status, Summary, Footer, Hidden string
	Style                                 template.CSS
	Graph                                 template.HTML
	Facts, Parameters                     []pair
	Phases                                []inspect.Phase
	Ticks                                 []tick
	Steps                                 []stepView
}

type pair struct{ Name, Value string }

type tick struct {
	Left float64
	Text string
}

// bar is a phase in the timeline, in percent of its axis.
type bar struct {
	Phase       inspect.Phase
	Left, Width float64
	Title       string
}

type stepView struct {
	ID, Name, Status, Took, CachedFrom, Because string
	Open                                        bool
	Failure                                     *failureView
	Facts, Parameters                           []pair
	Bars                                        []bar
	Tries                                       []tryView
	Artifacts                                   []artifactView
	Log, LogMore                                string
}

type failureView struct {
	Kind, Type, Message, Evidence, Traceback string
	Remedy                                   []words
}

// words are a part of a text that is code, or isn't.
type words struct {
	Text string
	Code bool
}

type tryView struct {
	Number                    int
	Status, Took, Memory, Why string
}

func (f *facts) page(ctx context.Context) (view, error) {
	shown := f.shown()
	index := map[string]bool{}
	for _, s := range shown {
		index[s.Name] = true
	}
	v := view{
		Name: clean(f.run.Name), Status: f.run.Status, Summary: f.summary(), Footer: "Made by proa " + f.Version + " at " + moment(f.Now),
		Style: template.CSS(style), Facts: f.facts(), Parameters: values(f.spec.Parameters), Phases: inspect.Phases(), Ticks: f.ticks(),
		Graph: template.HTML(f.graph.Figure(func(i int) string { //nolint:gosec // it escapes what it is given
			if index[f.graph.Nodes[i].Name] {
				return "#" + stepID(i)
			}
			return "#steps"
		})),
		Steps: make([]stepView, len(shown)),
	}
	if hidden := len(f.run.Steps) - len(shown); hidden > 0 {
		v.Hidden = fmt.Sprintf("%d steps more are left out: proa runs show %s", hidden, f.run.Name)
	}
	numbers := map[string]int{}
	for i, n := range f.graph.Nodes {
		numbers[n.Name] = i
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, s := range shown {
		group.Go(func() (err error) {
			v.Steps[i], err = f.step(gctx, s, numbers[s.Name])
			return err
		})
	}
	return v, group.Wait()
}

// shown are the steps that the page has details of: all, or, of very many, those that didn't succeed and the first ones.
func (f *facts) shown() []inspect.Step {
	if len(f.run.Steps) <= mostSteps {
		return f.run.Steps
	}
	var some []inspect.Step
	for i, s := range f.run.Steps {
		well := s.Status == "succeeded" || s.Status == "cached"
		if len(some) < mostSteps && (i < mostSteps/2 || !well) {
			some = append(some, s)
		}
	}
	return some
}

func stepID(number int) string { return fmt.Sprintf("step-%d", number+1) }

// summary is the run in one line.
func (f *facts) summary() string {
	count := map[string]int{}
	for _, s := range f.run.Steps {
		count[s.Status]++
	}
	parts := []string{inspect.Count(len(f.graph.Nodes), "step")}
	for _, status := range []string{"succeeded", "cached", "failed", "running", "pending", "waiting", "skipped", "cancelled"} {
		if count[status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[status], status))
		}
	}
	return strings.Join(parts, " · ")
}

// facts are what is said of the run at the top.
func (f *facts) facts() []pair {
	place := f.row.Orchestrator
	if f.row.Namespace != "" {
		place += ", namespace " + f.row.Namespace
	}
	if f.row.Context != "" {
		place += ", context " + f.row.Context
	}
	var images []string
	for _, i := range f.plan.Images {
		images = append(images, i.Ref)
	}
	all := []pair{
		{"Pipeline", f.run.Pipeline}, {"Stack", f.run.Stack}, {"Orchestrator", place},
		{"Started", moment(f.run.Started)}, {"Took", f.took(f.run.Started, f.run.Ended)}, {"Run id", f.run.ID},
		{"Script", f.spec.Source.Main}, {"Code revision", revision(f.plan.Revision)}, {"Python", f.spec.Source.Python},
		{"Resumes", f.plan.Resumes}, {"Images", strings.Join(images, " ")},
	}
	return tidy(all)
}

// revision is a commit, abbreviated as git does.
func revision(commit string) string {
	hash, changed, _ := strings.Cut(commit, "-")
	if len(hash) > 12 {
		hash = hash[:12]
	}
	if changed != "" {
		hash += ", and what was changed since"
	}
	return hash
}

// tidy leaves out what is empty, and makes the rest fit to be shown.
func tidy(pairs []pair) []pair {
	pairs = slices.DeleteFunc(pairs, func(p pair) bool { return p.Value == "" })
	for i := range pairs {
		pairs[i] = pair{clean(pairs[i].Name), head(clean(pairs[i].Value), oneValue)}
	}
	if len(pairs) > mostPairs {
		more := len(pairs) - mostPairs
		pairs = append(pairs[:mostPairs:mostPairs], pair{"…", fmt.Sprintf("and %d more", more)})
	}
	return pairs
}

func (f *facts) span() (begin, end time.Time) {
	begin, end = f.graph.Started, f.graph.Ended
	if end.IsZero() {
		end = f.Now
	}
	return begin, end
}

// ticks are the axis of the timeline.
func (f *facts) ticks() []tick {
	begin, end := f.span()
	var ticks []tick
	for i := range 5 {
		ticks = append(ticks, tick{float64(i) * 25, inspect.Duration(end.Sub(begin) * time.Duration(i) / 4)})
	}
	return ticks
}

// bars are a step's phases in the timeline.
func (f *facts) bars(n inspect.Node) []bar {
	begin, end := f.span()
	whole := float64(end.Sub(begin))
	if begin.IsZero() || whole <= 0 {
		return nil
	}
	percent := func(at time.Time) float64 {
		return min(max(float64(at.Sub(begin))/whole, 0), 1) * 100
	}
	var bars []bar
	for _, s := range n.Spans(end) {
		left, right := percent(s.Start), percent(s.End)
		if right > left {
			title := string(s.Phase) + " " + inspect.Duration(s.End.Sub(s.Start))
			bars = append(bars, bar{s.Phase, rounded(left), rounded(right) - rounded(left), title})
		}
	}
	return bars
}

// rounded keeps the page small.
func rounded(percent float64) float64 { return float64(int(percent*1000+0.5)) / 1000 }

func (f *facts) tryViews(tries []inspect.Try) []tryView {
	var all []tryView
	for _, t := range tries[max(len(tries)-mostTries, 0):] {
		v := tryView{Number: t.Number, Status: t.Status, Took: f.took(t.Planned, t.Ended), Why: head(clean(t.Reason), oneValue)}
		if t.Usage.PeakRSS > 0 {
			v.Memory = inspect.Size(t.Usage.PeakRSS)
		}
		if t.Failure != nil {
			v.Why = head(clean(fmt.Sprintf("%s: %s", t.Failure.Kind, t.Failure.Message)), oneValue)
		}
		all = append(all, v)
	}
	return all
}

func (f *facts) failure(failure *step.Failure) *failureView {
	if failure == nil {
		return nil
	}
	return &failureView{
		Kind: string(failure.Kind), Type: clean(failure.Type), Message: head(clean(failure.Message), 4*oneValue),
		Evidence: head(clean(failure.Evidence), 4*oneValue), Remedy: remedy(failure.Kind),
		Traceback: tail(clean(failure.Traceback), f.limit(allTracebacks, oneTrace)),
	}
}
