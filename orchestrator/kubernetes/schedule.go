package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// A schedule is a CronJob whose Jobs are those of coordinators. All that its runs have in common, the frozen spec and plan
// among it, is in a Secret that it owns; nothing of it is on the machine that made it. What would be named after a run is
// named after a stand-in of the schedule's.
const (
	componentSchedule  = "schedule"
	annotationSchedule = "proa.dev/schedule"
	annotationStack    = "proa.dev/stack"
	// envSecret names the Secret of a coordinator that was started by a schedule, whose run has none of its own.
	envSecret = "PROA_SECRET"

	labelJobName = "batch.kubernetes.io/job-name"
	// lateness is how many seconds after its time a run may still be started if nothing is to be caught up on.
	lateness = 120
	// The limits of a schedule's ended Jobs unless its settings say otherwise.
	successfulHistory, failedHistory = 3, 1
)

// Schedule is a schedule in the cluster.
type Schedule struct {
	spec.Schedule
	Pipeline string
	Stack    string
	Paused   bool
	Created  time.Time
	// Last is when a run was started last, Active are the names of the Jobs that run now.
	Last   time.Time
	Active []string
}

// standIn is what objects of a schedule are named after instead of a run. Schedules of other stores are others, whatever
// their names.
func standIn(name, store string) string {
	const most = 26 // a CronJob's name has 52 characters at most
	sum := sha256.Sum256([]byte(store + "\x00" + name))
	return "schedule-" + orchestrator.Slug(name, most) + "-" + hex.EncodeToString(sum[:4])
}

// runOfJob is the id of the run that a Job of a schedule drives, which stays the same when its coordinator is started again.
func runOfJob(uid string) string {
	sum := sha256.Sum256([]byte("job " + uid))
	return hex.EncodeToString(sum[:8])
}

// buildCronJob returns the CronJob of a schedule.
func buildCronJob(namespace, store string, s Submission, schedule spec.Schedule, stack string) (*batchv1.CronJob, error) {
	s.Run = standIn(schedule.Name, store)
	settings, err := ParseRunSettings(s.Settings)
	if err != nil {
		return nil, err
	}
	job, err := buildJob(namespace, s)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(schedule)
	if err != nil {
		return nil, fmt.Errorf("encoding the schedule: %w", err)
	}
	job.Spec.TTLSecondsAfterFinished = settings.TTL // otherwise the limits of the history count
	forSchedule(&job.Spec.Template.Spec.Containers[0])
	made := &batchv1.CronJob{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"},
		ObjectMeta: metav1.ObjectMeta{
			Name: ObjectName(s.Run), Namespace: namespace, Labels: withStore(scheduleLabels(s), store),
			Annotations: map[string]string{
				annotationSchedule: string(text), annotationPipeline: s.Pipeline, annotationStack: stack,
			},
		},
		Spec: batchv1.CronJobSpec{
			SuccessfulJobsHistoryLimit: ptr(orElse(settings.SuccessfulHistory, successfulHistory)),
			FailedJobsHistoryLimit:     ptr(orElse(settings.FailedHistory, failedHistory)),
			JobTemplate: batchv1.JobTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: job.Labels, Annotations: map[string]string{annotationPipeline: s.Pipeline}},
				Spec:       job.Spec,
			},
		},
	}
	timing(made, schedule)
	return made, nil
}

// timing puts a schedule's times into its CronJob.
func timing(c *batchv1.CronJob, s spec.Schedule) {
	c.Spec.Schedule = s.CronExpression
	c.Spec.TimeZone = nil
	if s.Timezone != "" {
		c.Spec.TimeZone = ptr(s.Timezone)
	}
	c.Spec.StartingDeadlineSeconds = ptr(int64(lateness))
	if s.Catchup {
		c.Spec.StartingDeadlineSeconds = nil
	}
	c.Spec.ConcurrencyPolicy = map[string]batchv1.ConcurrencyPolicy{
		"": batchv1.ForbidConcurrent, "forbid": batchv1.ForbidConcurrent,
		"allow": batchv1.AllowConcurrent, "replace": batchv1.ReplaceConcurrent,
	}[s.Concurrency]
}

// label gives a schedule's coordinator the label of its run, whose id was not known when its Job was made. Without it the
// run goes on, but isn't found by its label.
func (o *Orchestrator) label(ctx context.Context) {
	if o.config.Unlabelled == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, LabelRun, labelValue(o.config.Run))
	_, err := o.client.CoreV1().Pods(o.config.Namespace).Patch(ctx, o.config.Unlabelled, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		o.logger.Debug("coordinator not labelled", "pod", o.config.Unlabelled, "error", err)
	}
}

// forSchedule changes the container of a run's coordinator to one of whichever Job it is in.
func forSchedule(c *corev1.Container) {
	secret := ""
	env := c.Env[:0]
	for _, e := range c.Env {
		switch e.Name {
		case step.RunEnv:
			secret = ObjectName(e.Value)
			continue
		case envJob:
			e = corev1.EnvVar{Name: envJob, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
				APIVersion: "v1", FieldPath: "metadata.labels['" + labelJobName + "']",
			}}}
		}
		env = append(env, e)
	}
	c.Env = append(env, corev1.EnvVar{Name: envSecret, Value: secret})
}

func scheduleLabels(s Submission) map[string]string {
	labels := runLabels(s)
	labels[LabelComponent] = componentSchedule
	return labels
}

func withStore(labels map[string]string, store string) map[string]string {
	labels[LabelStore] = labelValue(store)
	return labels
}

func orElse(given *int32, usual int32) int32 {
	if given != nil {
		return *given
	}
	return usual
}

// scheduleOf reads a CronJob.
func scheduleOf(c *batchv1.CronJob) Schedule {
	s := Schedule{
		Pipeline: c.Annotations[annotationPipeline], Stack: c.Annotations[annotationStack],
		Paused: c.Spec.Suspend != nil && *c.Spec.Suspend, Created: c.CreationTimestamp.Time,
	}
	_ = json.Unmarshal([]byte(c.Annotations[annotationSchedule]), &s.Schedule) // an annotation that was tampered with shows as nothing
	if c.Status.LastScheduleTime != nil {
		s.Last = c.Status.LastScheduleTime.Time
	}
	for _, active := range c.Status.Active {
		s.Active = append(s.Active, active.Name)
	}
	return s
}
