package standard

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/image"
	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/login"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/kubeconfig"
	metadatadriver "github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/mysql"
	"github.com/proa-ml/proa/metadata/sqlite"
	orchestratordriver "github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/orchestrator/kubernetes"
	"github.com/proa-ml/proa/orchestrator/local"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

// Opener opens components of the built-in flavors.
type Opener struct {
	Catalogue flavor.Catalogue
	Env       func(string) string
	// Environ is what local steps inherit.
	Environ []string
	// DataDir is where the built-in stack keeps its data; empty if there is no such place.
	DataDir string
	// Ask asks the user for the passphrase of the secrets, twice if it is a new one; nil means that nobody can be asked.
	Ask func(ctx context.Context, anew bool) (string, error)
	// CacheDir says where images keep what can be made again.
	CacheDir func() (string, error)
	Now      func() time.Time
	Rand     io.Reader
}

var _ flavor.Opener = Opener{}

// component returns a component of a stack and its settings, with what they refer to in the secrets manager.
func (o Opener) component(ctx context.Context, s stack.Resolved, kind stack.Kind) (stack.Component, flavor.Settings, error) {
	s, err := o.Reveal(ctx, s, kind)
	if err != nil {
		return stack.Component{}, nil, err
	}
	return o.plain(s, kind)
}

// plain returns a component of a stack and its settings as they stand there.
func (o Opener) plain(s stack.Resolved, kind stack.Kind) (stack.Component, flavor.Settings, error) {
	component, ok := s.Components[kind]
	if !ok {
		return component, nil, stack.Mistake(fmt.Sprintf("add one: `proa stack update %s --%s=NAME`", s.Name, kind), "the stack %q has no %s", s.Name, kind.Words())
	}
	settings, err := o.Catalogue.Settings(component)
	if err != nil {
		return component, nil, fmt.Errorf("%s %q: %w", kind.Words(), component.Name, err)
	}
	return component, settings, nil
}

func unsupported(c stack.Component) error {
	return stack.Mistake("", "this proa can't open %s of flavor %q", c.Kind.Article(), c.Flavor)
}

// Artifacts implements flavor.Opener.
func (o Opener) Artifacts(ctx context.Context, s stack.Resolved) (step.Store, error) {
	c, settings, err := o.component(ctx, s, stack.ArtifactStore)
	if err != nil {
		return step.Store{}, err
	}
	switch c.Flavor {
	case "local":
		return step.Store{URL: artifact.FileURL(settings["path"])}, nil
	case "s3":
		return store(settings, "endpoint", "region", "key", "secret", "token", "path_style", "profile"), nil
	case "gcp":
		return gcpStore(c, settings)
	case "azure":
		return store(settings, "account_name", "account_key", "sas_token", "connection_string", "tenant_id", "client_id", "client_secret", "endpoint"), nil
	}
	return step.Store{}, unsupported(c)
}

// Metadata implements flavor.Opener.
func (o Opener) Metadata(ctx context.Context, s stack.Resolved) (metadatadriver.Store, error) {
	c, settings, err := o.component(ctx, s, stack.MetadataStore)
	if err != nil {
		return nil, err
	}
	switch c.Flavor {
	case "sqlite":
		return sqlite.Open(ctx, settings["path"], nil)
	case "mysql":
		return mysql.Open(ctx, mysqlConfig(settings), nil)
	case "kubernetes":
		server, err := o.database(settings)
		if err != nil {
			return nil, err
		}
		return server.Open(ctx)
	}
	return nil, unsupported(c)
}

func mysqlConfig(s flavor.Settings) mysql.Config {
	config := mysql.Config{
		Host: s["host"], Port: s.Int("port"), Database: s["database"], Username: s["username"], Password: s["password"],
		CA: []byte(s["ssl_ca"]), Cert: []byte(s["ssl_cert"]), Key: []byte(s["ssl_key"]),
	}
	switch secured := s["ssl_ca"] != "" || s["ssl_cert"] != ""; {
	case s.Bool("ssl_verify_server_cert"):
		config.Verify = mysql.VerifyFull
	case s["ssl_ca"] != "":
		config.Verify = mysql.VerifyCA
	case secured:
		config.Verify = mysql.VerifyNone
	}
	return config
}

// Images implements flavor.Opener.
func (o Opener) Images(ctx context.Context, s stack.Resolved) (imagedriver.Builder, string, error) {
	c, settings, err := o.component(ctx, s, stack.ImageBuilder)
	if err != nil {
		return nil, "", err
	}
	_, registry, err := o.component(ctx, s, stack.ContainerRegistry)
	if err != nil {
		return nil, "", err
	}
	repository, err := image.Repository(registry["uri"])
	if err != nil {
		return nil, "", stack.Mistake("", "%v", err)
	}
	cache, err := o.CacheDir()
	if err != nil {
		return nil, "", err
	}
	daemonless, err := oci.New(
		oci.Config{
			Insecure: registry.Bool("insecure"), CA: []byte(registry["ca"]),
			Username: registry["username"], Password: registry["password"],
		},
		&oci.Options{CacheDir: filepath.Join(cache, "layers"), Env: o.Environ, Now: o.Now,
			Compression: settings["compression"], Ambient: login.New(&login.Options{Env: o.Env, Now: o.Now})})
	if err != nil {
		return nil, "", err
	}
	builder, err := o.engine(c, settings, daemonless, registry, repository)
	if err != nil {
		return nil, "", err
	}
	return image.New(builder), repository, nil
}

// Local implements flavor.Opener.
func (o Opener) Local(ctx context.Context, s stack.Resolved, p flavor.Process) (orchestratordriver.Orchestrator, error) {
	c, settings, err := o.component(ctx, s, stack.Orchestrator)
	if err != nil {
		return nil, err
	}
	if c.Flavor != "local" {
		return nil, unsupported(c)
	}
	return local.New(local.Config{
		Launcher: p.Launcher, Access: p.Access, Dir: p.Dir, Parallelism: settings.Int("parallelism"), Environ: o.Environ,
		Offer: p.Offer,
	}, nil)
}

// Remote implements flavor.Opener.
func (o Opener) Remote(p flavor.Place) (flavor.Remote, error) {
	if p.Flavor != "kubernetes" {
		return nil, stack.Mistake("", "there is no remote orchestrator of flavor %q", p.Flavor)
	}
	config, name, err := kubeconfig.Cluster{Kubeconfig: kubeconfig.Files(o.Env), Context: p.Context, Inside: p.Context == ""}.Rest()
	if err != nil {
		return nil, unreachable(stack.Orchestrator, err)
	}
	client, err := kubernetes.NewClient(kubernetes.ClientConfig{Context: name, Namespace: p.Namespace, Store: p.Store},
		&kubernetes.Options{Now: o.Now, Rand: o.Rand, Rest: config})
	if err != nil {
		return nil, err
	}
	return cluster{client}, nil
}

// Kubeconfig returns a lister of the contexts in the files that KUBECONFIG names, or in ~/.kube/config.
func Kubeconfig(env func(string) string) Contexts {
	return func() (files string, names []string, active string, err error) {
		files = kubeconfig.Files(env)
		names, active, err = kubeconfig.Contexts(files)
		return files, names, active, err
	}
}

// cluster makes a flavor.Remote of the client's side of Kubernetes.
type cluster struct{ *kubernetes.Client }

func (c cluster) Submit(ctx context.Context, s flavor.Submission) error {
	return c.Client.Submit(ctx, submission(s))
}

func submission(s flavor.Submission) kubernetes.Submission {
	return kubernetes.Submission{
		Run: s.Run, RunName: s.RunName, Pipeline: s.Pipeline, CoordinatorImage: s.Image, CoordinatorArgs: s.Args,
		Settings: s.Settings, Config: s.Config, PullConfig: s.PullConfig, Access: step.Access{APIVersion: spec.APIVersion, Store: s.Store, Secrets: s.Secrets},
	}
}

func (c cluster) Follow(ctx context.Context, run string, line func([]byte) error, waiting func(string)) error {
	return c.Client.Follow(ctx, run, kubernetes.Follower{Line: line, Waiting: waiting})
}

// sweepGrace is what running pods get to end.
const sweepGrace = 10 * time.Second

func (c cluster) Sweep(ctx context.Context, run string) error {
	return c.Client.Sweep(ctx, run, sweepGrace)
}

// Coordinator implements flavor.Opener.
func (o Opener) Coordinator() (flavor.Coordinator, error) {
	in, err := kubernetes.LoadInCluster(o.Env, kubernetes.SecretDir)
	if err != nil {
		return flavor.Coordinator{}, err
	}
	holder := strings.TrimSpace(o.Env(kubernetes.EnvPodName))
	if holder == "" {
		holder, _ = os.Hostname()
	}
	return flavor.Coordinator{
		Run: in.Config.Run, Holder: holder, Config: in.Data, LastWords: kubernetes.LastWords,
		Open: func(ctx context.Context) (orchestratordriver.Orchestrator, error) {
			return kubernetes.Open(ctx, in.Config, &kubernetes.Options{Now: o.Now, Rand: o.Rand})
		},
	}, nil
}
