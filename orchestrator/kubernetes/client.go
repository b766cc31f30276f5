package kubernetes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proa-ml/proa/internal/kubeconfig"
)

// ClientConfig says which cluster, and where in it.
type ClientConfig struct {
	// Kubeconfig is the value of the variable KUBECONFIG: files, separated as paths are; empty means the user's own file.
	Kubeconfig string
	// Context is the context to use; empty means the current one.
	Context string
	// Namespace is where runs go; empty means [DefaultNamespace].
	Namespace string
}

// Client submits runs to a cluster, follows them and tidies up after them. It keeps no state: everything about a run is
// found by its labels.
type Client struct {
	client    kubernetes.Interface
	rest      *rest.Config
	context   string
	namespace string
	now       func() time.Time
	rand      io.Reader
	logger    *slog.Logger
}

// NewClient returns a client of a cluster, without contacting it.
func NewClient(c ClientConfig, opts *Options) (*Client, error) {
	if opts == nil {
		opts = &Options{}
	}
	config := opts.Rest
	if config == nil {
		var err error
		if config, c.Context, err = kubeconfig.Rest(c.Kubeconfig, c.Context); err != nil {
			return nil, err
		}
	}
	client, err := connect(config)
	if err != nil {
		return nil, err
	}
	out := &Client{
		client: client, rest: config, context: c.Context, namespace: namespaceOr(c.Namespace),
		now: opts.Now, rand: opts.Rand, logger: opts.Logger,
	}
	if out.now == nil {
		out.now = time.Now
	}
	if out.rand == nil {
		out.rand = rand.Reader
	}
	if out.logger == nil {
		out.logger = slog.New(slog.DiscardHandler)
	}
	return out, nil
}

// Context is the kubeconfig context that runs go to.
func (c *Client) Context() string { return c.context }

// Namespace is the namespace that runs go to.
func (c *Client) Namespace() string { return c.namespace }

// Host is the API server's address, for messages.
func (c *Client) Host() string { return c.rest.Host }

// Check reaches the cluster, and asks it whether the user may run there.
func (c *Client) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout/3)
	defer cancel()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.namespace, Verb: "create", Group: "batch", Resource: "jobs",
		},
	}}
	answer, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in time: %w", err)
	}
	if err != nil {
		return explainError(fmt.Sprintf("reaching the cluster of context %q at %s", c.context, c.Host()), err)
	}
	if !answer.Status.Allowed {
		return fmt.Errorf("context %q may not create jobs in namespace %q (`proa orchestrator permissions` prints what is needed)",
			c.context, c.namespace)
	}
	return nil
}
