package e2e

import (
	"context"
	"fmt"
	"os"
	"sort"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proa-ml/proa/internal/testbed"
)

// requireVenv returns the Python environment that has proa's wheel installed.
func requireVenv(t *testing.T) string {
	t.Helper()
	venv := os.Getenv("PROA_TEST_VENV")
	if venv == "" {
		testbed.Missing(t, "PROA_TEST_VENV names no Python environment with proa's wheel: run `make test-e2e`")
	}
	return venv
}

// requireCluster checks that PROA_TEST_* describe a cluster and its services.
func requireCluster(t *testing.T) {
	t.Helper()
	requireVariables(t, "CONTEXT", "REGISTRY", "PARENT_IMAGE", "MARIADB_IMAGE", "BUILDKIT_IMAGE", "S3_ENDPOINT", "S3_BUCKET", "S3_KEY", "S3_SECRET", "MYSQL_HOST", "MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "KUBECTL")
}

// requireVariables checks that the environment has PROA_TEST_ and each of the names.
func requireVariables(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if os.Getenv("PROA_TEST_"+name) == "" {
			testbed.Missing(t, "PROA_TEST_%s is not set, so there is nothing to test on: run `make test-e2e`", name)
		}
	}
}

// podLog remembers which pods of proa ran while a test went on.
type podLog struct {
	t     *testing.T
	mu    sync.Mutex
	nodes []corev1.Node
	seen  map[string]corev1.PodPhase
}

// connect returns a client of the cluster.
func connect(t *testing.T) client {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(),
		&clientcmd.ConfigOverrides{CurrentContext: os.Getenv("PROA_TEST_CONTEXT")}).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	made, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client{made}
}

// watchPods begins to watch the pods of all namespaces.
func watchPods(t *testing.T) *podLog {
	t.Helper()
	client := connect(t)
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	log := &podLog{t: t, nodes: nodes.Items, seen: map[string]corev1.PodPhase{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w, err := client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=proa"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				log.note(pod)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		w.Stop()
		<-done
	})
	return log
}

func (l *podLog) note(pod *corev1.Pod) {
	if pod.Spec.NodeName == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[fmt.Sprintf("%s/%s on %s", pod.Namespace, pod.Name, pod.Spec.NodeName)] = pod.Status.Phase
}

// print lists the cluster's nodes and the pods that were seen.
func (l *podLog) print() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.nodes {
		l.t.Logf("node %s: Kubernetes %s, %s, %s", n.Name, n.Status.NodeInfo.KubeletVersion, n.Status.NodeInfo.ContainerRuntimeVersion, n.Status.NodeInfo.OSImage)
	}
	names := make([]string, 0, len(l.seen))
	for name := range l.seen {
		names = append(names, name)
	}
	sort.Strings(names)
	l.t.Logf("%d pods ran:", len(names))
	for _, name := range names {
		l.t.Logf("  %s", name)
	}
}
