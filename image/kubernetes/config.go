package kubernetes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/internal/strict"
)

// Config says where builders run, and what they are made of.
type Config struct {
	kubeconfig.Cluster
	Namespace string
	// Image is one that behaves as BuildKit's official rootless image does.
	Image          string
	Resources      corev1.ResourceRequirements
	NodeSelectors  map[string]string
	Tolerations    []corev1.Toleration
	ServiceAccount string
	// Storage is how much disk a builder may use; empty means as much as the node has.
	Storage string
	// Privileged gives a builder all rights on its node.
	Privileged bool
	// KeepAlive is how long a builder waits for another build; 0 means that each build has one of its own.
	KeepAlive time.Duration
	// PlainHTTP are registries besides the stack's that speak plain HTTP.
	PlainHTTP []string
	// Route says how a builder reaches the stack's registry.
	Route func(ctx context.Context) (buildkit.Route, error)
}

// Options tune a Cluster. The zero value is good.
type Options struct {
	Now  func() time.Time
	Rand io.Reader
	// Lease is how long a builder outlives a client that says nothing; 0 means five minutes.
	Lease time.Duration
}

// usualLease leaves time for a machine that sleeps for a moment, or a cluster that is away for one.
const usualLease = 5 * time.Minute

// Cluster is an engine: the builders in a namespace of a cluster. It is safe for concurrent use.
type Cluster struct {
	cfg    Config
	rest   *rest.Config
	client kubernetes.Interface
	// streams is a client for what lasts.
	streams kubernetes.Interface
	now     func() time.Time
	rand    io.Reader
	lease   time.Duration
}

var _ buildkit.Engine = (*Cluster)(nil)

// callLimit is how long one call of the API may take.
const callLimit = 20 * time.Second

// New returns an engine, and contacts nothing.
func New(cfg Config, opts *Options) (*Cluster, error) {
	if cfg.Namespace == "" || cfg.Image == "" || cfg.Route == nil {
		return nil, errors.New("an image builder in a cluster needs a namespace, an image and a way to the registry")
	}
	if opts == nil {
		opts = &Options{}
	}
	c := &Cluster{cfg: cfg, now: opts.Now, rand: opts.Rand, lease: opts.Lease}
	if c.now == nil {
		c.now = time.Now
	}
	if c.rand == nil {
		c.rand = rand.Reader
	}
	if c.lease == 0 {
		c.lease = usualLease
	}
	var err error
	c.client, c.streams, c.rest, c.cfg.Context, err = cfg.Clients(callLimit)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// String implements buildkit.Engine.
func (c *Cluster) String() string {
	return fmt.Sprintf("BuildKit in namespace %s of context %s", c.cfg.Namespace, c.cfg.Context)
}

// PlainHTTP implements buildkit.Engine.
func (c *Cluster) PlainHTTP() string {
	return "add it to the image builder's attribute insecure_registries"
}

// ParseResources reads requests and limits from JSON.
func ParseResources(text string) (corev1.ResourceRequirements, error) {
	var out corev1.ResourceRequirements
	err := parse(text, &out)
	return out, err
}

// ParseNodeSelectors reads the labels that a node has to have from JSON.
func ParseNodeSelectors(text string) (map[string]string, error) {
	var out map[string]string
	err := parse(text, &out)
	return out, err
}

// ParseTolerations reads a list of tolerations from JSON.
func ParseTolerations(text string) ([]corev1.Toleration, error) {
	var out []corev1.Toleration
	err := parse(text, &out)
	return out, err
}

func parse(text string, into any) error {
	if text == "" {
		return nil
	}
	return strict.JSON([]byte(text), into)
}

// CheckSize says what is wrong with an amount of disk.
func CheckSize(size string) error {
	if quantity, err := resource.ParseQuantity(size); err != nil || quantity.Sign() <= 0 {
		return errors.New("it must be a size such as 20Gi")
	}
	return nil
}
