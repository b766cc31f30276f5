package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	mdriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/orchestrator/driver"
)

var (
	simSeed = flag.Uint64("sim.seed", 0, "replay the simulated schedule of this seed only")
	simRuns = flag.Uint64("sim.runs", simDefault, "number of simulated schedules")
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

// sim is one coordinator's process.
type sim struct {
	*scenario
	core  *coordinator
	lease mdriver.Lease
	// skew is how far this process's clock is from the true time.
	skew   time.Duration
	faults int
	mail   []observation
	todo   []effect
	known  map[string]bool
	last   time.Time
	// queue holds attempts that wait in the orchestrator's memory, which is this process's.
	queue map[string]bool
	lost  bool // a report of the watch was lost; it will list everything again
	dead  bool
	// frozen is until when the process doesn't get to run at all.
	frozen time.Time
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
	until := s.core.wake(s.clock())
	if !until.IsZero() {
		until = until.Add(-s.skew)
	}
	sc.pass(until)
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
	s := &sim{scenario: sc, lease: lease, faults: sc.rng.IntN(8), known: map[string]bool{}, queue: map[string]bool{}}
	if sc.chance(20) {
		s.skew = []time.Duration{-time.Hour, time.Hour}[sc.rng.IntN(2)]
	}
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
	s.mail = append(s.mail, begun{mode: sc.mode, parallelism: sc.parallelism, deadline: sc.deadline, lease: lease})
	sc.watchers = append(sc.watchers, s)
	sc.relist(s)
}

func (s *sim) die() {
	s.dead = true
	s.watchers = slices.DeleteFunc(s.watchers, func(other *sim) bool { return other == s })
}

// clock is the time as this process has it.
func (s *sim) clock() time.Time { return s.world.now.Add(s.skew) }

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
	if err := s.core.turn(seen, s.clock()); err != nil {
		s.breaks("turn: %v", err)
	}
	s.todo = append(s.todo, s.core.take(s.clock())...)
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
		s.todo = append(s.todo, s.core.take(s.clock())...)
	}
}

func (s *sim) perform(ctx context.Context, e effect) {
	seen, err := s.core.perform(ctx, e)
	switch what := unavailable(err); {
	case queued(err):
		s.core.desk.park(e, s.clock())
	case what != "":
		s.core.desk.postpone(e, what, s.clock())
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
