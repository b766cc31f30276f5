package kubernetes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
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

// UnknownContextError is a context that the kubeconfig doesn't have.
type UnknownContextError struct {
	Context string
	Known   []string
}

func (e *UnknownContextError) Error() string {
	known := "none at all"
	if len(e.Known) > 0 {
		known = strings.Join(e.Known, ", ")
	}
	return fmt.Sprintf("kubernetes context %q does not exist; known are: %s (see `kubectl config get-contexts`)", e.Context, known)
}

// Contexts returns the names of the contexts that a kubeconfig has, sorted, and the current one, which may be empty.
// A kubeconfig that doesn't exist has none.
func Contexts(kubeconfig string) (names []string, current string, err error) {
	config, err := loadingRules(kubeconfig).Load()
	if err != nil {
		return nil, "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, config.CurrentContext, nil
}

// NewClient returns a client of a cluster, without contacting it.
func NewClient(c ClientConfig, opts *Options) (*Client, error) {
	if opts == nil {
		opts = &Options{}
	}
	config := opts.Rest
	if config == nil {
		var err error
		if config, err = restConfig(&c); err != nil {
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

func loadingRules(kubeconfig string) *clientcmd.ClientConfigLoadingRules {
	rules := &clientcmd.ClientConfigLoadingRules{WarnIfAllMissing: false}
	if kubeconfig == "" {
		rules.Precedence = []string{clientcmd.RecommendedHomeFile}
		return rules
	}
	rules.Precedence = filepath.SplitList(kubeconfig)
	return rules
}

// restConfig finds the context, and notes in c which one it was.
func restConfig(c *ClientConfig) (*rest.Config, error) {
	known, current, err := Contexts(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	if c.Context == "" {
		c.Context = current
	}
	if !slices.Contains(known, c.Context) {
		return nil, &UnknownContextError{Context: c.Context, Known: known}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loadingRules(c.Kubeconfig), overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubernetes context %q can't be used: %w", c.Context, err)
	}
	return config, nil
}

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
