package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/spec"
)

// ErrNoSchedule is a schedule that doesn't exist.
var ErrNoSchedule = errors.New("there is no such schedule")

// Schedule makes a schedule of a submission or, if there is one of that name, changes it, and reports which.
func (c *Client) Schedule(ctx context.Context, s Submission, schedule spec.Schedule, stack string) (created bool, err error) {
	if err := c.ready(ctx, s); err != nil {
		return false, err
	}
	wanted, err := buildCronJob(c.namespace, c.store, s, schedule, stack)
	if err != nil {
		return false, err
	}
	s.Run = standIn(schedule.Name, c.store)
	made, created, err := c.applyCronJob(ctx, wanted)
	if err != nil {
		return false, err
	}
	if err := c.applySecrets(ctx, s, made); err != nil && created {
		return false, errors.Join(err, c.DeleteSchedule(context.WithoutCancel(ctx), schedule.Name))
	} else if err != nil {
		return false, err
	}
	return created, nil
}

func (c *Client) applyCronJob(ctx context.Context, wanted *batchv1.CronJob) (made *batchv1.CronJob, created bool, err error) {
	jobs := c.client.BatchV1().CronJobs(c.namespace)
	doing := "creating the schedule's CronJob " + wanted.Name
	made, err = jobs.Create(ctx, wanted, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return made, err == nil, explainError(doing, err)
	}
	for {
		old, err := jobs.Get(ctx, wanted.Name, metav1.GetOptions{})
		if err != nil {
			return nil, false, explainError(doing, err)
		}
		suspended := old.Spec.Suspend
		old.Labels, old.Annotations, old.Spec = wanted.Labels, wanted.Annotations, wanted.Spec
		old.Spec.Suspend = suspended
		made, err = jobs.Update(ctx, old, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return made, false, explainError(doing, err)
		}
	}
}

// applySecrets makes or changes what the schedule's runs need to know. Key and certificate stay: runs that go on have them.
func (c *Client) applySecrets(ctx context.Context, s Submission, cron *batchv1.CronJob) error {
	access, certificate, private, err := c.secrets(s.Access)
	if err != nil {
		return err
	}
	owner := []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: cron.Name, UID: cron.UID}}
	wanted := []*corev1.Secret{buildSecret(c.namespace, s, Owner{}, access, certificate, private)}
	if len(s.PullConfig) > 0 {
		wanted = append(wanted, buildPullSecret(c.namespace, s, Owner{}))
	}
	secrets := c.client.CoreV1().Secrets(c.namespace)
	for _, secret := range wanted {
		secret.Immutable, secret.OwnerReferences, secret.Labels = nil, owner, scheduleLabels(s)
		_, err := secrets.Create(ctx, secret, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			var old *corev1.Secret
			if old, err = secrets.Get(ctx, secret.Name, metav1.GetOptions{}); err == nil {
				err = keepKeys(secret.Data, old.Data)
			}
			if err == nil {
				_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
			}
		}
		if err != nil {
			return explainError("storing the schedule's secret", err)
		}
	}
	return nil
}

// keepKeys takes over the key and the certificate of an older version of a Secret.
func keepKeys(data, old map[string][]byte) error {
	if len(old[keyAccess]) == 0 {
		return nil
	}
	var now, before map[string]json.RawMessage
	if json.Unmarshal(data[keyAccess], &now) != nil || json.Unmarshal(old[keyAccess], &before) != nil {
		return errors.New("its access file is not valid JSON")
	}
	now["key"], now["ca"] = before["key"], before["ca"]
	data[keyCertificate], data[keyPrivate] = old[keyCertificate], old[keyPrivate]
	var err error
	data[keyAccess], err = json.Marshal(now)
	return err
}

// Schedules lists, by name, the namespace's schedules whose runs use the client's store.
func (c *Client) Schedules(ctx context.Context) ([]Schedule, error) {
	list, err := c.client.BatchV1().CronJobs(c.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: LabelManagedBy + "=" + managedBy + "," + LabelComponent + "=" + componentSchedule + "," + LabelStore + "=" + labelValue(c.store),
	})
	if err != nil {
		return nil, explainError("listing the schedules in namespace "+c.namespace, err)
	}
	all := make([]Schedule, 0, len(list.Items))
	for i := range list.Items {
		all = append(all, scheduleOf(&list.Items[i]))
	}
	slices.SortFunc(all, func(a, b Schedule) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (c *Client) cronJob(ctx context.Context, name string) (*batchv1.CronJob, error) {
	found, err := c.client.BatchV1().CronJobs(c.namespace).Get(ctx, ObjectName(standIn(name, c.store)), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("schedule %q in namespace %s: %w", name, c.namespace, ErrNoSchedule)
	}
	return found, explainError("looking at schedule "+name, err)
}

// ChangeSchedule changes when a schedule runs, and whether it does at all.
func (c *Client) ChangeSchedule(ctx context.Context, name string, change func(*Schedule)) error {
	for {
		found, err := c.cronJob(ctx, name)
		if err != nil {
			return err
		}
		s := scheduleOf(found)
		change(&s)
		text, err := json.Marshal(s.Schedule)
		if err != nil {
			return fmt.Errorf("encoding the schedule: %w", err)
		}
		found.Annotations[annotationSchedule] = string(text)
		found.Spec.Suspend = ptr(s.Paused)
		timing(found, s.Schedule)
		_, err = c.client.BatchV1().CronJobs(c.namespace).Update(ctx, found, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return explainError("changing schedule "+name, err)
		}
	}
}

// TriggerSchedule starts a run of a schedule now, and returns the run's id.
func (c *Client) TriggerSchedule(ctx context.Context, name string) (run string, err error) {
	cron, err := c.cronJob(ctx, name)
	if err != nil {
		return "", err
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		GenerateName: cron.Name + "-", Namespace: c.namespace, Labels: cron.Spec.JobTemplate.Labels,
		Annotations:     map[string]string{"cronjob.kubernetes.io/instantiate": "manual"},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cron, batchv1.SchemeGroupVersion.WithKind("CronJob"))},
	}, Spec: cron.Spec.JobTemplate.Spec}
	made, err := c.client.BatchV1().Jobs(c.namespace).Create(ctx, job, metav1.CreateOptions{})
	if err != nil {
		return "", explainError("starting a run of schedule "+name, err)
	}
	return runOfJob(string(made.UID)), nil
}

// DeleteSchedule deletes a schedule, and with it the Jobs of its runs and their pods.
func (c *Client) DeleteSchedule(ctx context.Context, name string) error {
	cron, err := c.cronJob(ctx, name)
	if err != nil {
		return err
	}
	err = c.client.BatchV1().CronJobs(c.namespace).Delete(ctx, cron.Name, metav1.DeleteOptions{
		PropagationPolicy: ptr(metav1.DeletePropagationBackground),
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explainError("deleting schedule "+name, err)
}
