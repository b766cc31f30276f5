package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// Submission is a run to hand over to the cluster.
type Submission struct {
	Run      string
	RunName  string
	Pipeline string
	// CoordinatorImage is a reference by digest to an image that runs proa, CoordinatorArgs are its arguments. It must
	// exit with 0 when the run has ended, in whatever way, and with another code to be started again.
	CoordinatorImage string
	CoordinatorArgs  []string
	// Settings are the plan's for the run as a whole.
	Settings map[string]json.RawMessage
	// Config is what the coordinator needs: stores, credentials. It is kept in a Secret that only the coordinator sees.
	Config []byte
	// PullConfig is what a Docker configuration file says of the images' registry; empty if the nodes need no credentials.
	PullConfig []byte
	// Access is what launchers need. Key and CA are made here.
	Access step.Access
}

// Submit makes the run exist in the cluster: from then on it doesn't need this process. Submitting a run twice is one
// run.
//
// The Job comes first and its Secrets, which it owns, right after: should this process die in between, what is left is
// a Job whose pod waits for a Secret. No credentials are left behind without an owner, and Sweep removes the rest.
func (c *Client) Submit(ctx context.Context, s Submission) error {
	access, certificate, private, err := c.secrets(s.Access)
	if err != nil {
		return err
	}
	if err := c.ready(ctx, s); err != nil {
		return err
	}
	wanted, err := buildJob(c.namespace, s)
	if err != nil {
		return err
	}
	job, err := c.createJob(ctx, wanted)
	if err != nil {
		return err
	}
	owner := Owner{Name: job.Name, UID: string(job.UID)}
	secrets := []*corev1.Secret{buildSecret(c.namespace, s, owner, access, certificate, private)}
	if len(s.PullConfig) > 0 {
		secrets = append(secrets, buildPullSecret(c.namespace, s, owner))
	}
	for _, secret := range secrets {
		if err := c.createSecret(ctx, secret); err != nil {
			return errors.Join(err, c.withdraw(ctx, job.Name))
		}
	}
	return nil
}

// ready makes sure of the namespace, and of the coordinator's service account: proa's own, or the given one, which has to
// exist.
func (c *Client) ready(ctx context.Context, s Submission) error {
	settings, err := ParseRunSettings(s.Settings)
	if err != nil {
		return err
	}
	if settings.ServiceAccountName == "" {
		return c.prepare(ctx)
	}
	if err := c.makeNamespace(ctx); err != nil {
		return err
	}
	_, err = c.client.CoreV1().ServiceAccounts(c.namespace).Get(ctx, settings.ServiceAccountName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the service account %q does not exist in namespace %q: create it and bind it to the role that "+
			"`proa orchestrator permissions` prints, or leave service_account_name out, and proa makes one",
			settings.ServiceAccountName, c.namespace)
	}
	if apierrors.IsForbidden(err) {
		return nil // the run will tell
	}
	return explainError("looking at service account "+settings.ServiceAccountName, err)
}

func (c *Client) createSecret(ctx context.Context, secret *corev1.Secret) error {
	_, err := c.client.CoreV1().Secrets(c.namespace).Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return explainError("creating the run's secret", err)
}

// withdraw removes a Job that can't run, also when ctx has ended meanwhile.
func (c *Client) withdraw(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return c.deleteJob(ctx, name)
}

func (c *Client) createJob(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	jobs := c.client.BatchV1().Jobs(c.namespace)
	created, err := jobs.Create(ctx, job, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return c.findJob(ctx, job)
	}
	return created, explainError(fmt.Sprintf("creating job %s in namespace %s", job.Name, c.namespace), err)
}

// findJob finds the Job that an earlier try made. What lists the Jobs of a run is permitted for following it, too.
func (c *Client) findJob(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	doing := fmt.Sprintf("looking at job %s in namespace %s", job.Name, c.namespace)
	list, err := c.client.BatchV1().Jobs(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: LabelRun + "=" + job.Labels[LabelRun]})
	if err != nil {
		return nil, explainError(doing, err)
	}
	for i := range list.Items {
		if list.Items[i].Name == job.Name {
			return &list.Items[i], nil
		}
	}
	return nil, fmt.Errorf("%s: there is one of that name which isn't this run's", doing)
}

// secrets makes the run's key and certificate, and encodes what launchers are given.
func (c *Client) secrets(access step.Access) (encoded, certificate, private []byte, err error) {
	certificate, private, err = newCertificate(c.rand, c.now())
	if err != nil {
		return nil, nil, nil, err
	}
	key := make([]byte, 32)
	if _, err := io.ReadFull(c.rand, key); err != nil {
		return nil, nil, nil, fmt.Errorf("making the run's key: %w", err)
	}
	access.APIVersion, access.Key, access.CA = spec.APIVersion, key, certificate
	encoded, err = json.Marshal(access)
	if err != nil {
		return nil, nil, nil, errors.New("encoding the launcher's access: the store's options can't be encoded")
	}
	return encoded, certificate, private, nil
}
