package kubernetes

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proa-ml/proa/internal/kubeconfig"
)

// Config says where the server is, and what it is made of.
type Config struct {
	kubeconfig.Cluster
	Namespace string
	// Name is the name of the Deployment and of all that belongs to it.
	Name string
	// Capacity is the size of the volume. StorageClass is what provides it; empty means the cluster's default.
	Capacity, StorageClass string
	// Image is one that behaves as the official images of MySQL and MariaDB do.
	Image string
}

// Options tune a Server. The zero value is good.
type Options struct {
	Now  func() time.Time
	Rand io.Reader
}

// Server is the server in the cluster, whether it is there or not. It keeps no state: all that is known about it is read from
// the cluster.
type Server struct {
	cfg    Config
	rest   *rest.Config
	client kubernetes.Interface
	// streams is a client for what lasts, such as a log that is followed.
	streams kubernetes.Interface
	now     func() time.Time
	rand    io.Reader
}

// callLimit is how long one call of the API may take.
const callLimit = 20 * time.Second

// New returns the server of a config, and contacts nothing.
func New(cfg Config, opts *Options) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	s := &Server{cfg: cfg, now: opts.Now, rand: opts.Rand}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	var err error
	s.client, s.streams, s.rest, s.cfg.Context, err = cfg.Clients(callLimit)
	if err != nil {
		return nil, err
	}
	return s, nil
}

var serviceName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// CheckName says what is wrong with the name of a server.
func CheckName(name string) error {
	if !serviceName.MatchString(name) {
		return errors.New("it must begin with a letter and be lower-case letters, digits and dashes, at most 63 of them")
	}
	return nil
}

// CheckCapacity says what is wrong with the size of a volume.
func CheckCapacity(size string) error {
	if quantity, err := resource.ParseQuantity(size); err != nil || quantity.Sign() <= 0 {
		return errors.New("it must be a size such as 10Gi")
	}
	return nil
}

func (cfg Config) check() error {
	if err := CheckName(cfg.Name); err != nil {
		return fmt.Errorf("%q can't be the name of a deployment: %w", cfg.Name, err)
	}
	if err := CheckCapacity(cfg.Capacity); err != nil {
		return fmt.Errorf("%q can't be the capacity of a volume: %w", cfg.Capacity, err)
	}
	if cfg.Namespace == "" || cfg.Image == "" {
		return errors.New("the metadata store in a cluster needs a namespace and an image")
	}
	return nil
}

// host is the name by which pods reach the server.
func (cfg Config) host() string { return cfg.Name + "." + cfg.Namespace + ".svc" }

// Host is the address of the API server.
func (s *Server) Host() string { return s.rest.Host }

// String names the server for people.
func (s *Server) String() string {
	return fmt.Sprintf("deployment %s in namespace %s of context %s", s.cfg.Name, s.cfg.Namespace, s.cfg.Context)
}

// Contents says what [Server.Remove] removes.
func (s *Server) Contents() string {
	return fmt.Sprintf("the %s with its service, its secret and its volume: all runs that are recorded there", s)
}
