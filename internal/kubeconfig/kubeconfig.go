// Package kubeconfig finds clusters: it reads the user's kubeconfig and makes clients of the contexts in it.
package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// UnknownContextError is a context that the kubeconfig doesn't have.
type UnknownContextError struct {
	// Files are the kubeconfig's.
	Files   string
	Context string
	Known   []string
}

func (e *UnknownContextError) Error() string {
	known := "it has none at all"
	if len(e.Known) > 0 {
		known = "it has: " + strings.Join(e.Known, ", ")
	}
	return fmt.Sprintf("the kubeconfig %s has no context %q; %s (see `kubectl config get-contexts`)", e.Files, e.Context, known)
}

// MissingError says that there is no kubeconfig.
type MissingError struct{ Files string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no kubeconfig: %s does not exist", e.Files)
}

// Obtain says how to come by a kubeconfig.
const Obtain = "get one from where the cluster is run (such as `aws eks update-kubeconfig --name CLUSTER`), or set KUBECONFIG to the file's path"

// Files returns the user's kubeconfig: the files that KUBECONFIG names, or ~/.kube/config.
func Files(env func(string) string) string {
	if files := env("KUBECONFIG"); files != "" {
		return files
	}
	return filepath.Join(env("HOME"), ".kube", "config")
}

// Contexts returns the names of the contexts that a kubeconfig has, sorted, and the current one, which may be empty.
// The files are separated as paths are; none means the user's own. It is a [MissingError] if none of them exists.
func Contexts(files string) (names []string, current string, err error) {
	rules := loadingRules(files)
	if !slices.ContainsFunc(rules.Precedence, exists) {
		return nil, "", &MissingError{strings.Join(rules.Precedence, string(filepath.ListSeparator))}
	}
	config, err := rules.Load()
	if err != nil {
		return nil, "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, config.CurrentContext, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

func loadingRules(files string) *clientcmd.ClientConfigLoadingRules {
	rules := &clientcmd.ClientConfigLoadingRules{WarnIfAllMissing: false}
	if files == "" {
		rules.Precedence = []string{clientcmd.RecommendedHomeFile}
		return rules
	}
	rules.Precedence = filepath.SplitList(files)
	return rules
}

// Cluster says which cluster is meant.
type Cluster struct {
	// Kubeconfig are the files of the kubeconfig, separated as paths are; empty means the user's own. Context is the context in
	// it; empty means the current one.
	Kubeconfig, Context string
	// Inside says that it is the cluster that this process runs in a pod of, whatever the kubeconfig says. The pod's service
	// account has the rights.
	Inside bool
}

// inside is what the cluster is called that this process runs in.
const inside = "incluster"

// Rest returns how to reach the cluster, and the context's name.
func (c Cluster) Rest() (*rest.Config, string, error) {
	if c.Inside {
		config, err := InCluster()
		return config, inside, err
	}
	return restOf(c.Kubeconfig, c.Context)
}

func restOf(files, context string) (*rest.Config, string, error) {
	known, current, err := Contexts(files)
	if err != nil {
		return nil, "", err
	}
	if context == "" {
		context = current
	}
	if context == "" {
		return nil, "", fmt.Errorf("the kubeconfig %s has no current context: name one, or choose one with `kubectl config use-context`", files)
	}
	if !slices.Contains(known, context) {
		return nil, "", &UnknownContextError{Files: files, Context: context, Known: known}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loadingRules(files), overrides).ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("kubernetes context %q can't be used: %w", context, err)
	}
	return config, context, nil
}

// OutsideError says that this process runs in no pod, or in one without a service account's token.
type OutsideError struct{ err error }

func (e *OutsideError) Error() string { return "reaching the cluster from within: " + e.err.Error() }

func (e *OutsideError) Unwrap() error { return e.err }

// InCluster returns how a pod reaches its own cluster: with the token of its service account. It is an [OutsideError] if it can't.
func InCluster() (*rest.Config, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, &OutsideError{err}
	}
	return config, nil
}

// Clients makes two clients of the cluster, without contacting it: one whose calls end after the limit, and one for what lasts.
// They come with their configuration and the context's name.
func (c Cluster) Clients(limit time.Duration) (calls, streams kubernetes.Interface, config *rest.Config, name string, err error) {
	if config, name, err = c.Rest(); err != nil {
		return nil, nil, nil, name, err
	}
	if streams, err = Client(config); err != nil {
		return nil, nil, nil, name, err
	}
	limited := rest.CopyConfig(config)
	limited.Timeout = limit
	calls, err = Client(limited)
	return calls, streams, config, name, err
}

// Client makes a client of a cluster, without contacting it.
func Client(config *rest.Config) (kubernetes.Interface, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 100, 200
	config.UserAgent = "proa"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.WarningHandler = rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	return client, nil
}
