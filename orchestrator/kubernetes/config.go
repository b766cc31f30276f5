package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/proa-ml/proa/step"
)

// Where the run's Secret is mounted, in the coordinator's pod and (only the access file) in the pods of steps.
const (
	SecretDir = "/etc/proa"
	// LastWords is a file of the coordinator's pod that is still there when its container is started again.
	LastWords = tmpDir + "/last-words"

	keyConfig      = "config.json"
	keyAccess      = "access.json"
	keyCertificate = "tls.crt"
	keyPrivate     = "tls.key"
)

// The environment of the coordinator's pod, besides [step.RunEnv].
const (
	envNamespace = "PROA_NAMESPACE"
	envJob       = "PROA_JOB"
	envJobUID    = "PROA_JOB_UID"
	envPodIP     = "PROA_POD_IP"
	envKeepPods  = "PROA_KEEP_PODS"
	// EnvPodName holds the name of the coordinator's pod, which is a good holder of a run's lease.
	EnvPodName = "PROA_POD_NAME"
)

// Config is what the coordinator's side has to know about its run.
type Config struct {
	Namespace string
	Run       string
	// Job owns the pods, so that they go with it; an empty UID means that nothing does.
	Job Owner
	// Secret is the name of the Secret whose key access.json the pods of steps mount.
	Secret string
	// PullSecret is the name of the Secret that the pods of steps pull their images with; empty if they need none.
	PullSecret string
	// KeepPods says which finished pods stay (see RunSettings).
	KeepPods string
	// Pod is the name of the coordinator's pod.
	Pod string
	// Unlabelled is the name of the coordinator's pod if it isn't labelled with its run yet, as those of schedules.
	Unlabelled string
	// Coordinator is the host:port at which launchers reach the completion channel; empty means that there is none.
	Coordinator string
	// Listen is the address to serve it on, such as ":8443".
	Listen string
	// Certificate and PrivateKey are the PEM of the channel's server, Key makes the attempts' tokens.
	Certificate, PrivateKey, Key []byte
}

// Owner points at the object that owns another.
type Owner struct{ Name, UID string }

// InCluster is what a coordinator's pod was given.
type InCluster struct {
	Config Config
	// Data is the opaque configuration that was submitted.
	Data []byte
	// Access is what launchers are given; its Store is the run's artifact store.
	Access step.Access
}

// LoadInCluster reads what the pod of a coordinator was given: the environment, and the Secret mounted at dir, which is
// [SecretDir] in the cluster.
func LoadInCluster(env func(string) string, dir string) (InCluster, error) {
	in := InCluster{Config: Config{
		Namespace: env(envNamespace),
		Run:       env(step.RunEnv),
		Job:       Owner{Name: env(envJob), UID: env(envJobUID)},
		Listen:    ":" + strconv.Itoa(step.ChannelPort),

		Pod:        env(EnvPodName),
		PullSecret: env(envPullSecret),
		KeepPods:   env(envKeepPods),
	}}
	secret := env(envSecret)
	if secret != "" {
		in.Config.Run, in.Config.Unlabelled = runOfJob(in.Config.Job.UID), in.Config.Pod
	} else {
		secret = ObjectName(in.Config.Run)
	}
	if in.Config.Run == "" || in.Config.Namespace == "" {
		return in, fmt.Errorf("%s and %s are not set: this command runs in a pod that `proa run` made", step.RunEnv, envNamespace)
	}
	in.Config.Secret = secret
	if ip := env(envPodIP); ip != "" {
		in.Config.Coordinator = net.JoinHostPort(ip, strconv.Itoa(step.ChannelPort))
	}
	var access []byte
	for name, to := range map[string]*[]byte{
		keyConfig: &in.Data, keyAccess: &access, keyCertificate: &in.Config.Certificate, keyPrivate: &in.Config.PrivateKey,
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return in, fmt.Errorf("reading the run's secret: %w", err)
		}
		*to = data
	}
	if err := json.Unmarshal(access, &in.Access); err != nil {
		return in, errors.New("reading the run's secret: access.json is not valid JSON")
	}
	in.Config.Key = in.Access.Key
	return in, nil
}
