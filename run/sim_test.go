package run

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/artifact"
	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/memory"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

var (
	simSeed = flag.Uint64("sim.seed", 0, "replay the simulated schedule of this seed only")
	simRuns = flag.Uint64("sim.runs", 2000, "number of simulated schedules")
)

// TestSimulation drives runs through schedules of faults: lost replies, doubled and late reports, stores that are away,
// attempts that vanish, coordinators that die between any two of their acts, and coordinators that don't know that they were
// replaced. Whatever happens, a run has to end as the undisturbed one does.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		simulate(t, *simSeed)
		return
	}
	for seed := uint64(1); seed <= *simRuns && !t.Failed(); seed++ {
		simulate(t, seed)
	}
}

func simulate(t *testing.T, seed uint64) {
	t.Helper()
	sc := newScenario(seed)
	sc.play()
	if len(sc.broken) > 0 {
		t.Errorf("seed %d (replay with: go test ./run -run Simulation -sim.seed=%d):\n%s\nhistory:\n%s",
			seed, seed, strings.Join(sc.broken, "\n"), sc.history())
	}
}

// TestSimulationReplays holds that a seed is a schedule: without that, a failure couldn't be looked into.
func TestSimulationReplays(t *testing.T) {
	for seed := range uint64(20) {
		first, second := newScenario(seed), newScenario(seed)
		first.play()
		second.play()
		if diff := cmp.Diff(first.history(), second.history()); diff != "" {
			t.Fatalf("seed %d gave two histories (-first +second):\n%s", seed, diff)
		}
	}
}

// scenario is one schedule.
type scenario struct {
	*world
	store     *memory.Store
	run       mdriver.Run
	mode      Mode
	procs     []*sim
	crashes   int
	cancelled bool
	want      map[string]map[string]step.Artifact
	doomed    bool
	past      []Recorded
	fold      *state
}

// sim is one coordinator's process.
type sim struct {
	*scenario
	core   *coordinator
	lease  mdriver.Lease
	faults int
	mail   []observation
	todo   []effect
	known  map[string]bool
	last   time.Time
	lost   bool // a report of the watch was lost; it will list everything again
	dead   bool
	// frozen is until when the process doesn't get to run at all.
	frozen time.Time
}

func newScenario(seed uint64) *scenario {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		objects: map[string][]byte{}, missing: map[string]bool{}, attempts: map[string]*process{}, fails: map[string]int{},
	}
	sc := &scenario{world: w, store: memory.New(), crashes: w.rng.IntN(5)}
	sc.mode = []Mode{StopOnFailure, FailFast, ContinueOnFailure}[w.rng.IntN(3)]
	w.recorded = sc.recordedEvents
	w.plan = sc.inventPlan()
	data, err := json.Marshal(w.plan)
	if err != nil {
		panic(err)
	}
	sc.run = mdriver.Run{ID: fmt.Sprintf("%016x", seed), Name: "sim", Pipeline: "sim", Plan: data, Spec: []byte("{}"), Status: string(Pending)}
	if err := sc.store.CreateRun(context.Background(), sc.run); err != nil {
		panic(err)
	}
	if sc.fold, err = newState(sc.run); err != nil {
		panic(err)
	}
	sc.expect()
	if w.chance(15) {
		w.after(w.some(20*time.Second), func() {
			sc.cancelled = true
			_ = sc.store.RequestCancel(context.Background(), sc.run.ID)
		})
	}
	return sc
}

// inventPlan makes a small random graph.
func (sc *scenario) inventPlan() *plan.Plan {
	p := &plan.Plan{Pipeline: "sim"}
	for i := range 1 + sc.rng.IntN(7) {
		st := plan.Step{
			Name: fmt.Sprintf("s%d", i), Recipe: fmt.Sprintf("recipe %d", i), Cache: sc.chance(60),
			Outputs: []spec.Output{{Name: "out"}}, Inputs: map[string]spec.Input{},
			Retry: plan.Retry{Max: sc.rng.IntN(3), Delay: sc.some(5 * time.Second), Factor: 2, Cap: 10 * time.Second, Infrastructure: 1000},
		}
		for j := range i {
			if sc.chance(35) {
				need := fmt.Sprintf("s%d", j)
				st.Needs = append(st.Needs, need)
				if sc.chance(80) {
					st.Inputs["in"+need] = spec.Input{Step: need, Output: "out"}
				}
			}
		}
		if sc.chance(25) {
			sc.fails[st.Name] = 1 + sc.rng.IntN(3)
		}
		p.Steps = append(p.Steps, st)
	}
	return p
}

// expect computes what the undisturbed run gives, and fills the cache with results of some of its steps.
func (sc *scenario) expect() {
	sc.want = map[string]map[string]step.Artifact{}
	commit := mdriver.Commit{Lease: mdriver.Lease{Run: sc.run.ID}}
	for i := range sc.plan.Steps {
		st := &sc.plan.Steps[i]
		digests, whole := map[string]string{}, true
		for _, need := range st.Needs {
			whole = whole && sc.want[need] != nil
		}
		if !whole {
			continue
		}
		for name, in := range st.Inputs {
			digests[name] = sc.want[in.Step][in.Output].Digest
		}
		out, hit := outputsOf(st, digests), false
		if sc.chance(20) {
			commit.Cache = append(commit.Cache, mdriver.CacheEntry{Key: plan.CacheKey(st.Recipe, digests), Run: "earlier", Step: st.Name, Outputs: out, Created: sc.now})
			if sc.chance(30) {
				sc.missing[out["out"].Digest] = true
			} else {
				hit = st.Cache
			}
		}
		if !hit && sc.fails[st.Name] > st.Retry.Max {
			sc.doomed = true
			continue
		}
		sc.want[st.Name] = out
	}
	if len(commit.Cache) > 0 {
		if err := sc.store.Commit(context.Background(), commit); err != nil {
			panic(err)
		}
	}
}

// maxActs bounds a schedule; the longest ones need a tenth of it.
const maxActs = 20000

// play lets random things happen until the run has ended and nobody is left.
func (sc *scenario) play() {
	for range maxActs {
		if sc.over() || len(sc.broken) > 0 {
			break
		}
		sc.act()
	}
	if !sc.over() {
		sc.breaks("the run didn't end")
		return
	}
	// What is still under way at the end has to come to an end by itself.
	for sc.pass(time.Time{}) {
	}
	sc.checkEnd()
}

func (sc *scenario) over() bool {
	return len(sc.living()) == 0 && sc.status().Final()
}

func (sc *scenario) status() Status {
	r, err := sc.store.Run(context.Background(), sc.run.ID)
	if err != nil {
		panic(err)
	}
	return Status(r.Status)
}

func (sc *scenario) living() []*sim {
	return slices.DeleteFunc(slices.Clone(sc.procs), func(s *sim) bool { return s.dead })
}

// act does one thing.
func (sc *scenario) act() {
	living := sc.living()
	if len(living) == 0 {
		sc.boot()
		return
	}
	if sc.crashes > 0 && sc.chance(2) {
		sc.crashes--
		if victim := living[sc.rng.IntN(len(living))]; sc.chance(70) {
			victim.die()
		} else {
			victim.frozen = sc.now.Add(sc.some(30 * time.Second))
		}
		sc.boot() // if nobody died, the former one doesn't know yet that it was replaced
		return
	}
	s := living[sc.rng.IntN(len(living))]
	if sc.now.Before(s.frozen) {
		sc.pass(s.frozen)
		return
	}
	if s.step() && !sc.chance(10) {
		return
	}
	sc.pass(s.core.wake(sc.now))
	if len(sc.events) == 0 {
		sc.now = sc.now.Add(100 * time.Millisecond)
	}
}

// boot starts a coordinator that takes the run from whoever has it.
func (sc *scenario) boot() {
	ctx := context.Background()
	lease, err := sc.store.Acquire(ctx, sc.run.ID, fmt.Sprintf("c%d", len(sc.procs)), sc.now, time.Minute, true)
	if err != nil {
		panic(err)
	}
	s := &sim{scenario: sc, lease: lease, faults: sc.rng.IntN(8), known: map[string]bool{}}
	p := parts{
		Components: Components{Artifacts: simArtifacts{s}, Metadata: simMetadata{sc.store, s}, Orchestrator: simOrchestrator{s}},
		readers:    1, logs: newLogbook(silent{}), notice: func(text string) {},
	}
	for core := s.core; core == nil; {
		if core, _, err = load(ctx, p, sc.run, lease); err != nil && !errors.Is(err, mdriver.ErrUnavailable) {
			sc.breaks("loading the run: %v", err)
			return
		}
		s.core = core
		sc.now = sc.now.Add(10 * time.Millisecond)
	}
	sc.procs = append(sc.procs, s)
	if s.core.state.status.Final() {
		s.dead = true
		return
	}
	for name, st := range s.core.state.attempts {
		if st.attempt.phase == accepted || st.attempt.phase == running {
			s.known[name] = true
		}
	}
	s.mail = append(s.mail, begun{mode: sc.mode, parallelism: sc.rng.IntN(4), lease: lease})
	sc.watchers = append(sc.watchers, s)
	sc.relist(s)
}

func (s *sim) die() {
	s.dead = true
	s.watchers = slices.DeleteFunc(s.watchers, func(other *sim) bool { return other == s })
}

func (s *sim) fenced() bool { return s.procs[len(s.procs)-1] != s }

// deliver brings a status later, in order, now and then twice or not at all.
func (s *sim) deliver(status driver.Status) {
	if s.world.chance(5) {
		if !s.lost {
			s.lost = true
			s.world.after(s.world.some(5*time.Second), func() {
				s.lost = false
				if !s.dead {
					s.world.relist(s)
				}
			})
		}
		return
	}
	s.last = maxTime(s.last, s.world.now.Add(s.world.some(500*time.Millisecond)))
	s.world.after(s.last.Sub(s.world.now), func() {
		s.mail = append(s.mail, statusSeen{status})
		if s.world.chance(10) {
			s.mail = append(s.mail, statusSeen{status})
		}
	})
}

// step does one act of the coordinator, and reports whether there was any.
func (s *sim) step() bool {
	ctx := context.Background()
	switch {
	case s.core.unrecorded != nil && (len(s.todo) == 0 || s.world.chance(50)):
		s.commit(ctx)
	case len(s.todo) > 0 && (s.core.unrecorded != nil || len(s.mail) == 0 || s.world.chance(50)):
		i := s.world.rng.IntN(len(s.todo))
		e := s.todo[i]
		s.todo = slices.Delete(s.todo, i, i+1)
		s.perform(ctx, e)
	case len(s.mail) > 0:
		s.turn(s.mail)
		s.mail = nil
	case s.world.chance(5):
		s.renew(ctx)
	default:
		s.turn(nil)
		return s.core.unrecorded != nil || len(s.todo) > 0
	}
	return true
}

func (s *sim) turn(seen []observation) {
	if err := s.core.turn(seen, s.world.now); err != nil {
		s.breaks("turn: %v", err)
	}
	s.todo = append(s.todo, s.core.take(s.world.now)...)
}

func (s *sim) commit(ctx context.Context) {
	_, err := s.core.commit(ctx)
	switch {
	case errors.Is(err, mdriver.ErrUnavailable):
		s.world.now = s.world.now.Add(backoffFirst)
	case errors.Is(err, mdriver.ErrFenced):
		if !s.fenced() {
			s.breaks("the newest coordinator was fenced: %v", err)
		}
		s.die()
	case err != nil:
		s.breaks("commit: %v", err)
	case s.core.state.status.Final():
		s.die()
	default:
		s.todo = append(s.todo, s.core.take(s.world.now)...)
	}
}

func (s *sim) perform(ctx context.Context, e effect) {
	seen, err := s.core.perform(ctx, e)
	switch what := unavailable(err); {
	case what != "":
		s.core.desk.postpone(e, what, s.world.now)
	case err != nil:
		s.breaks("%s %s: %v", e.name(), e.subject(), err)
	default:
		s.core.desk.done(e)
		s.mail = append(s.mail, seen)
	}
}

func (s *sim) renew(ctx context.Context) {
	lease, err := s.store.Acquire(ctx, s.run.ID, s.lease.Holder, s.world.now, time.Minute, false)
	if err != nil || lease.Epoch != s.lease.Epoch {
		s.die()
	} else if s.cancelled {
		s.mail = append(s.mail, cancelAsked{})
	}
}

// recordedEvents returns what is recorded. Only what is new is read, and folded.
func (sc *scenario) recordedEvents() []Recorded {
	rows, err := sc.store.Events(context.Background(), sc.run.ID, int64(len(sc.past)))
	if err != nil {
		panic(err)
	}
	for _, row := range rows {
		r, err := Decode(row)
		if err != nil {
			panic(err)
		}
		sc.past = append(sc.past, r)
		apply(sc.fold, r)
	}
	return sc.past
}

func (sc *scenario) history() string {
	var b strings.Builder
	for _, r := range sc.recordedEvents() {
		data, _ := json.Marshal(r.Event)
		fmt.Fprintf(&b, "%3d %s %-16s %s\n", r.Seq, r.Time.Format("04:05.000"), r.Event.Kind(), data)
	}
	return b.String()
}

// folded returns the state that is recorded.
func (sc *scenario) folded() *state {
	sc.recordedEvents()
	return sc.fold
}

// checkStart holds: intent before effect, inputs before start, and an invocation that tells of the right inputs.
func (s *sim) checkStart(a driver.Attempt) {
	recorded := s.recordedEvents()
	intended := slices.ContainsFunc(recorded, func(r Recorded) bool {
		e, ok := r.Event.(AttemptPlanned)
		return ok && e.Name == a.Name && e.Step == a.Step && e.Number == a.Number
	})
	if !intended {
		s.breaks("attempt %s was started before it was recorded", a.Name)
	}
	state := s.folded()
	for _, need := range state.step(a.Step).Needs {
		if !state.step(need).status.satisfied() {
			s.breaks("attempt %s was started before its input %s was there", a.Name, need)
		}
	}
	var in step.Invocation
	if err := json.Unmarshal(s.objects[step.InvocationKey(a.Run, a.Name)], &in); err != nil {
		s.breaks("attempt %s was started without an invocation: %v", a.Name, err)
	}
	for name, from := range s.plan.Step(a.Step).Inputs {
		if want := s.want[from.Step][from.Output]; in.Inputs[name] != want {
			s.breaks("attempt %s got input %s %+v, want %+v", a.Name, name, in.Inputs[name], want)
		}
	}
}

// checkStop holds: nothing is stopped that the record doesn't want stopped.
func (s *sim) checkStop(name string) {
	if state := s.folded(); !state.stopping() && !s.wasStray(name) {
		s.breaks("attempt %s was stopped without a record", name)
	}
}

// checkRemove holds: an attempt is removed only after its outcome was recorded.
func (s *sim) checkRemove(name string) {
	ended := slices.ContainsFunc(s.recordedEvents(), func(r Recorded) bool {
		e, ok := r.Event.(AttemptEnded)
		return ok && e.Outcome.Name == name
	})
	if !ended && !s.wasStray(name) {
		s.breaks("attempt %s was removed before its outcome was recorded", name)
	}
}

func (s *sim) wasStray(name string) bool {
	return slices.ContainsFunc(s.recordedEvents(), func(r Recorded) bool {
		e, ok := r.Event.(StrayFound)
		return ok && e.Name == name
	})
}

// checkEnd holds what has to be true of a run that has ended.
func (sc *scenario) checkEnd() {
	state := sc.folded()
	sc.checkStatus(state)
	sc.checkOutcomes()
	sc.checkRows(state)
	if len(state.strays) > 0 {
		sc.breaks("the run ended before it had swept %v", state.strays)
	}
	for _, p := range sc.attempts {
		if !p.zombie {
			sc.breaks("attempt %s is left behind", p.Name)
		}
	}
	for i := range state.steps {
		st := &state.steps[i]
		if !st.status.Final() {
			sc.breaks("step %s ended as %s", st.Name, st.status)
		}
		if want := sc.want[st.Name]; st.status.satisfied() && !cmp.Equal(st.outputs, want) {
			sc.breaks("step %s has the outputs %v, want %v", st.Name, st.outputs, want)
		}
		if !sc.cancelled && (sc.mode == ContinueOnFailure || !sc.doomed) && st.status.satisfied() != (sc.want[st.Name] != nil) {
			sc.breaks("step %s ended as %s, unlike in the undisturbed run", st.Name, st.status)
		}
	}
}

func (sc *scenario) checkStatus(state *state) {
	want := Succeeded
	if sc.doomed {
		want = Failed
	}
	if got := state.status; got != want && !(sc.cancelled && state.cancelling) {
		sc.breaks("the run ended as %s, want %s", got, want)
	}
	if got := sc.status(); got != state.status {
		sc.breaks("the run's row says %s, its events %s", got, state.status)
	}
}

// checkOutcomes holds that one outcome counts: of each attempt, and of each step.
func (sc *scenario) checkOutcomes() {
	attempts, steps := map[string]int{}, map[string]int{}
	for i, r := range sc.recordedEvents() {
		if r.Seq != int64(i+1) {
			sc.breaks("event %d has the number %d", i+1, r.Seq)
		}
		switch e := r.Event.(type) {
		case AttemptEnded:
			if attempts[e.Outcome.Name]++; e.Retry == nil {
				steps[e.Step]++
			}
		case StepCached:
			steps[e.Step]++
		case StepSkipped:
			steps[e.Step]++
		case StepCancelled:
			steps[e.Step]++
		}
	}
	for name, n := range attempts {
		if n != 1 {
			sc.breaks("attempt %s has %d outcomes", name, n)
		}
	}
	for i := range sc.plan.Steps {
		if n := steps[sc.plan.Steps[i].Name]; n != 1 {
			sc.breaks("step %s ended %d times", sc.plan.Steps[i].Name, n)
		}
	}
}

// checkRows holds that the projection is what folding the events gives.
func (sc *scenario) checkRows(state *state) {
	rows, err := sc.store.Steps(context.Background(), sc.run.ID)
	if err != nil {
		panic(err)
	}
	var want []mdriver.Step
	for i := range state.steps {
		want = append(want, stepRow(state, &state.steps[i]))
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		sc.breaks("the rows of steps differ from the events (-events +rows):\n%s", diff)
	}
}

// simMetadata is a coordinator's faulty access to the metadata store.
type simMetadata struct {
	mdriver.Store
	s *sim
}

func (m simMetadata) Commit(ctx context.Context, c mdriver.Commit) error {
	_, err := faulty(m.s, mdriver.ErrUnavailable, func() (any, error) { return nil, m.Store.Commit(ctx, c) })
	return err
}

func (m simMetadata) Events(ctx context.Context, run string, after int64) ([]mdriver.Event, error) {
	return faulty(m.s, mdriver.ErrUnavailable, func() ([]mdriver.Event, error) { return m.Store.Events(ctx, run, after) })
}

func (m simMetadata) Cached(ctx context.Context, keys []string) (map[string]mdriver.CacheEntry, error) {
	return faulty(m.s, mdriver.ErrUnavailable, func() (map[string]mdriver.CacheEntry, error) { return m.Store.Cached(ctx, keys) })
}

// simArtifacts is a coordinator's faulty access to the artifact store.
type simArtifacts struct{ *sim }

func (a simArtifacts) Put(_ context.Context, key string, data []byte) error {
	_, err := faulty(a.sim, artifact.ErrUnavailable, func() (any, error) {
		a.objects[key] = data
		return nil, nil
	})
	return err
}

func (a simArtifacts) Get(_ context.Context, key string) ([]byte, error) {
	return faulty(a.sim, artifact.ErrUnavailable, func() ([]byte, error) {
		if data := a.objects[key]; data != nil {
			return data, nil
		}
		return nil, fmt.Errorf("%s: %w", key, artifact.ErrNotFound)
	})
}

func (a simArtifacts) Exists(_ context.Context, digest string) (bool, error) {
	return faulty(a.sim, artifact.ErrUnavailable, func() (bool, error) { return !a.missing[digest], nil })
}

func (simArtifacts) Reader(context.Context, string) (io.ReadCloser, error) { return nil, errUnused }

func (simArtifacts) Manifest(context.Context, string) (step.Manifest, error) {
	return step.Manifest{}, errUnused
}
