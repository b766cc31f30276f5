package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/step"
)

// world is what coordinators act upon in the simulation: a scripted orchestrator that obeys its driver's contract, an
// artifact store, and a virtual clock. Everything random comes from one seeded source and everything happens in one
// goroutine, so a schedule can be replayed.
type world struct {
	rng    *rand.Rand
	now    time.Time
	events []happening
	order  int

	objects  map[string][]byte
	missing  map[string]bool
	attempts map[string]*process
	watchers []*sim

	plan *plan.Plan
	// fails is how often a step's code fails before it succeeds.
	fails map[string]int
	// hunger is how much memory a step's code needs; 0 means any amount does.
	hunger map[string]int64
	// recorded returns the run's recorded events, for behaviour and invariants that depend on them.
	recorded func() []Recorded
	broken   []string
}

// happening is something that happens at a time.
type happening struct {
	at    time.Time
	order int
	do    func()
}

// process is an attempt as the orchestrator has it.
type process struct {
	driver.Attempt
	phase   driver.Phase
	failure *step.Failure
	outcome *step.Outcome // as the completion channel has it
	zombie  bool
}

func (w *world) breaks(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) some(most time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(most))).Truncate(time.Microsecond)
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	w.events = append(w.events, happening{w.now.Add(d), w.order, do})
}

// pass moves the clock to the next happening, or to the given time if that comes first, and reports whether it moved.
func (w *world) pass(until time.Time) bool {
	if len(w.events) == 0 {
		if until.IsZero() {
			return false
		}
		w.now = maxTime(w.now, until)
		return true
	}
	first := 0
	for i, h := range w.events {
		if h.at.Before(w.events[first].at) || h.at.Equal(w.events[first].at) && h.order < w.events[first].order {
			first = i
		}
	}
	h := w.events[first]
	if !until.IsZero() && until.Before(h.at) {
		w.now = maxTime(w.now, until)
		return true
	}
	w.events = slices.Delete(w.events, first, first+1)
	w.now = maxTime(w.now, h.at)
	h.do()
	return true
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// start makes an attempt exist, and lets it take its course.
func (w *world) start(a driver.Attempt, zombie bool) {
	if w.attempts[a.Name] != nil {
		return
	}
	p := &process{Attempt: a, phase: driver.Pending, zombie: zombie}
	w.attempts[a.Name] = p
	w.tell(p)
	w.after(w.some(2*time.Second), func() {
		if w.advance(p, driver.Running) {
			w.after(w.some(5*time.Second), func() { w.finish(p) })
		}
	})
}

// advance moves a process that is still there to a later phase.
func (w *world) advance(p *process, to driver.Phase) bool {
	if w.attempts[p.Name] != p || p.phase == driver.Ended {
		return false
	}
	p.phase = to
	w.tell(p)
	return true
}

// finish ends a process in one of the ways that processes end.
func (w *world) finish(p *process) {
	switch {
	case w.attempts[p.Name] != p || p.phase == driver.Ended:
	case w.chance(10): // gone in silence
		p.failure = &step.Failure{Kind: step.FailureLost, Message: "no trace"}
		w.advance(p, driver.Ended)
	case w.chance(5): // the node is cut off, the process goes on and stores an outcome that comes too late
		p.failure = &step.Failure{Kind: step.FailureNodeLost, Message: "node is not ready"}
		w.advance(p, driver.Ended)
		w.after(w.some(20*time.Second), func() { w.store(w.result(p)) })
	case w.chance(5): // deleted by hand
		w.kill(p)
	default:
		o := w.store(w.result(p))
		switch {
		case w.chance(10): // the channel is slower than the watch
			w.after(w.some(time.Second), func() {
				p.outcome = &o
				w.tell(p)
			})
		case w.chance(5): // a former attempt's outcome comes along
			former := w.outcome(p, step.Failed)
			former.Attempt--
			p.outcome = &former
		case w.chance(60):
			p.outcome = &o
		case w.chance(30):
			p.failure = &step.Failure{Kind: step.FailureOOM, Message: "a status that the stored outcome overrules"}
		}
		w.advance(p, driver.Ended)
	}
}

// kill ends a process as SIGTERM does, with or without a last word.
func (w *world) kill(p *process) {
	if w.attempts[p.Name] != p || p.phase == driver.Ended {
		return
	}
	p.failure = &step.Failure{Kind: step.FailureLost, Message: "killed"}
	if w.chance(60) {
		o := w.outcome(p, step.Cancelled)
		o.Failure = &step.Failure{Kind: step.FailureCancelled, Message: "SIGTERM"}
		o = w.store(o)
		if w.chance(50) {
			p.outcome = &o
		}
	}
	w.advance(p, driver.Ended)
}

// result is what the step's code does: fail as often as the script says, counted by what the run counted, and then
// succeed with outputs that are made of its inputs.
func (w *world) result(p *process) step.Outcome {
	if need := w.hunger[p.Step]; need > 0 && p.Resources.Memory < strconv.FormatInt(need, 10) {
		o := w.outcome(p, step.Failed)
		o.ExitCode, o.Failure = 137, &step.Failure{Kind: step.FailureOOM, Message: "Killed"}
		return o
	}
	counted := 0
	for _, r := range w.recorded() {
		if e, ok := r.Event.(AttemptEnded); ok && e.Step == p.Step && e.Outcome.Failure != nil && e.Outcome.Failure.Kind == step.FailureUser {
			counted++
		}
	}
	if counted < w.fails[p.Step] {
		o := w.outcome(p, step.Failed)
		o.ExitCode, o.Failure = 1, &step.Failure{Kind: step.FailureUser, Message: "ValueError"}
		return o
	}
	var in step.Invocation
	if err := json.Unmarshal(w.objects[step.InvocationKey(p.Run, p.Name)], &in); err != nil {
		w.breaks("attempt %s has no invocation: %v", p.Name, err)
	}
	digests := map[string]string{}
	for name, a := range in.Inputs {
		digests[name] = a.Digest
	}
	o := w.outcome(p, step.Succeeded)
	o.Outputs = outputsOf(w.plan.Step(p.Step), digests)
	return o
}

// outputsOf is the function that a simulated step computes.
func outputsOf(st *plan.Step, digests map[string]string) map[string]step.Artifact {
	out := map[string]step.Artifact{}
	for _, o := range st.Outputs {
		out[o.Name] = step.Artifact{Digest: plan.CacheKey(st.Recipe+"/"+o.Name, digests), Type: "int", Materializer: "m"}
	}
	return out
}

func (w *world) outcome(p *process, status step.Status) step.Outcome {
	return step.Outcome{Run: p.Run, Step: p.Step, Attempt: p.Number, Name: p.Name, Status: status, Started: w.now, Ended: w.now}
}

// store keeps an outcome unless there is one, and returns the one that counts.
func (w *world) store(o step.Outcome) step.Outcome {
	key := step.OutcomeKey(o.Run, o.Name)
	if w.objects[key] == nil {
		data, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		w.objects[key] = data
	}
	if err := json.Unmarshal(w.objects[key], &o); err != nil {
		panic(err)
	}
	return o
}

// tell reports a process to everybody who watches, late and perhaps twice.
func (w *world) tell(p *process) {
	for _, s := range w.watchers {
		s.deliver(statusOf(p))
	}
}

func statusOf(p *process) driver.Status {
	s := driver.Status{Attempt: p.Name, Phase: p.phase, ExitCode: -1, Failure: p.failure, Outcome: p.outcome}
	if p.phase == driver.Pending {
		s.Reason = "pulling image"
	}
	return s
}

// relist reports everything that exists to one watcher, as a watch does when it begins or was broken.
func (w *world) relist(s *sim) {
	for _, name := range slices.Sorted(maps.Keys(w.attempts)) {
		s.known[name] = true
		s.deliver(statusOf(w.attempts[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		if w.attempts[name] == nil {
			s.deliver(driver.Status{Attempt: name, Phase: driver.Ended, ExitCode: -1, Failure: &step.Failure{Kind: step.FailureLost, Message: "not found"}})
		}
	}
}
