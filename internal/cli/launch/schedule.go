package launch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/run"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

// scheduleEnv holds the cron expression that `proa run --schedule` gives to the pipeline of a script.
const scheduleEnv = "PROA_SCHEDULE"

// schedule is what a coordinator that a schedule has started makes its run of.
type schedule struct {
	spec.Schedule
	Stack string          `json:"stack"`
	Place flavor.Place    `json:"place"`
	Spec  json.RawMessage `json:"spec"`
	Plan  json.RawMessage `json:"plan"`
}

// scheduled reads the schedule that the pipeline has, or is given on the command line; nil if it is to run now.
func (l *launch) scheduled() (*spec.Schedule, error) {
	s := l.pipeline.Schedule
	if cron := l.Env(scheduleEnv); cron != "" {
		given := spec.Schedule{}
		if s != nil {
			given = *s
		}
		given.CronExpression = cron
		s = &given
	}
	if s == nil {
		return nil, nil
	}
	if s.Name == "" {
		s.Name = l.pipeline.Name
	}
	if err := s.Validate(); err != nil {
		return nil, fault.With(fault.Configuration, "", fmt.Errorf("the schedule of pipeline %q: %w", l.pipeline.Name, err))
	}
	if !l.Catalogue.Remote(l.place) {
		return nil, fault.New(fault.Configuration, "use a stack with a kubernetes orchestrator (`proa stack list`), or let cron run the script",
			"the orchestrator of stack %q runs only as long as its runs do, so it can't keep a schedule", l.stack.Name)
	}
	return s, nil
}

// makeSchedule builds what a run needs, freezes it, and has the cluster start it at its times.
func (l *launch) makeSchedule(ctx context.Context, s spec.Schedule) error {
	scheduler, ok := l.remote.(flavor.Scheduler)
	if !ok {
		return fault.New(fault.Configuration, "", "the orchestrator of stack %q can't keep a schedule", l.stack.Name)
	}
	coordinator, err := l.build(ctx)
	if err != nil {
		return err
	}
	l.plan.Coordinator = coordinator
	l.plan.Revision = l.provenance(ctx)[revisionAnnotation]
	frozen, err := encode(l.plan)
	if err != nil {
		return fmt.Errorf("encoding the plan: %w", err)
	}
	config, err := json.Marshal(coordinatorConfig{Stack: l.inside, Store: l.store, Settings: l.settings, Schedule: &schedule{
		Schedule: s, Stack: l.stack.Name, Place: l.place, Spec: l.data, Plan: frozen,
	}})
	if err != nil {
		return errors.New("encoding the coordinator's configuration failed")
	}
	if err := l.keepFrozen(ctx, s.Name, frozen); err != nil {
		return l.broken(stack.ArtifactStore, err)
	}
	created, err := scheduler.Schedule(ctx, flavor.Submission{
		Pipeline: l.pipeline.Name, Image: coordinator, Args: []string{"coordinate"}, Settings: l.plan.Settings,
		Config: config, PullConfig: l.pull.Data, Store: l.store, Secrets: l.secrets,
	}, s, l.stack.Name)
	if err != nil {
		return l.broken(stack.Orchestrator, err)
	}
	if err := l.dropFormer(ctx, s.Name, frozen); err != nil {
		l.Warn("what the schedule needed before is kept: " + err.Error())
	}
	done := "changed"
	if created {
		done = "made"
	}
	l.warnOfPulling()
	l.view.Say(fmt.Sprintf("Schedule '%s' %s: %s. See it with `proa schedule describe %s`; start a run now with `proa schedule run %[4]s`.", s.Name, done, s.CronExpression, shellWord(s.Name)))
	return nil
}

// warnOfPulling tells that what the nodes are given to pull with ends before most of a schedule's runs begin.
func (l *launch) warnOfPulling() {
	if l.pull.Until.IsZero() {
		return
	}
	l.Warn(fmt.Sprintf("the login of the container registry %q that the nodes are given ends at %s: runs that start later need nodes that may pull by themselves, "+
		"or a login that doesn't end: `proa container-registry update %[1]s --username=NAME --password=@FILE`",
		l.stack.Components[stack.ContainerRegistry].Name, l.pull.Until.Format(time.RFC3339)))
}

// keepFrozen notes in the artifact store what the runs of a schedule will be made of, so that nobody takes it for unused.
func (l *launch) keepFrozen(ctx context.Context, name string, frozen []byte) error {
	data, err := json.Marshal(step.Frozen{
		Schedule: name, Stack: l.stack.Name, Context: l.place.Context, Namespace: l.place.Namespace, Plan: frozen,
	})
	if err != nil {
		return fmt.Errorf("encoding what the schedule needs: %w", err)
	}
	if err := l.artifacts.Put(ctx, l.frozenKey(name, frozen), data); err != nil {
		return fmt.Errorf("noting what the schedule needs: %w", err)
	}
	return nil
}

func (l *launch) frozenKey(name string, frozen []byte) string {
	sum := sha256.Sum256(frozen)
	return step.ScheduleKey(l.place.Context, l.place.Namespace, name, hex.EncodeToString(sum[:]))
}

// dropFormer forgets what a schedule needed before it was changed.
func (l *launch) dropFormer(ctx context.Context, name string, frozen []byte) error {
	keys, err := l.artifacts.List(ctx, step.SchedulePrefix(l.place.Context, l.place.Namespace, name))
	for _, key := range keys {
		if key != l.frozenKey(name, frozen) {
			err = errors.Join(err, l.artifacts.Delete(ctx, key))
		}
	}
	return err
}

func shellWord(name string) string {
	for _, c := range name {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "'" + name + "'"
		}
	}
	return name
}

// begin makes sure that the run of a coordinator that a schedule has started exists, and reports whether it is to run.
func (s *schedule) begin(ctx context.Context, m driver.Store, id string, o run.CreateOptions) (bool, error) {
	_, err := m.Run(ctx, id)
	if !errors.Is(err, driver.ErrNotFound) {
		return err == nil, err
	}
	if !s.Due(o.Now()) {
		return false, nil
	}
	seed, err := hex.DecodeString(id)
	if err != nil || len(seed) > sha256.Size {
		return false, fmt.Errorf("the run's id %q is not one", id)
	}
	o.Rand = bytes.NewReader(seed) // of which exactly that id is made
	_, err = run.Create(ctx, m, driver.Run{
		Pipeline: s.pipeline(), Stack: s.Stack, Orchestrator: s.Place.Flavor, Context: s.Place.Context, Namespace: s.Place.Namespace,
		Spec: s.Spec, Plan: s.Plan,
	}, &o)
	return err == nil, err
}

func (s *schedule) pipeline() string {
	var p struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(s.Spec, &p) // it was decoded when the schedule was made
	return p.Name
}
