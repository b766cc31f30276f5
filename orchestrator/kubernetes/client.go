package kubernetes

import (
	"crypto/rand"
	"io"
	"log/slog"
	"time"

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
	// Store tells the schedules of this stack from those of others in the namespace.
	Store string
}

// Client submits runs to a cluster, follows them and tidies up after them. It keeps no state: everything about a run is
// found by its labels.
type Client struct {
	client    kubernetes.Interface
	rest      *rest.Config
	context   string
	namespace string
	store     string
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
		if config, c.Context, err = (kubeconfig.Cluster{Kubeconfig: c.Kubeconfig, Context: c.Context}).Rest(); err != nil {
			return nil, err
		}
	}
	client, err := connect(config)
	if err != nil {
		return nil, err
	}
	out := &Client{
		client: client, rest: config, context: c.Context, namespace: namespaceOr(c.Namespace), store: c.Store,
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
