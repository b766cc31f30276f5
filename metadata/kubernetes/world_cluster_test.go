package kubernetes

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
)

// patience bounds every wait of the tests on a cluster.
const patience = 2 * time.Minute

// onCluster returns the config of a server in a namespace of the test's own on the cluster that the variables PROA_TEST_*
// describe, or skips the test. The namespace is deleted afterwards. Tests on the cluster run beside each other, for most of them wait.
func onCluster(t *testing.T) Config {
	t.Helper()
	for _, name := range []string{"PROA_TEST_CONTEXT", "PROA_TEST_MARIADB_IMAGE"} {
		if os.Getenv(name) == "" {
			testbed.Missing(t, "%s is not set: no cluster to test on (go run ./hack/cluster up makes one)", name)
		}
	}
	t.Parallel()
	cfg := Config{
		Cluster:   kubeconfig.Cluster{Kubeconfig: os.Getenv("PROA_TEST_KUBECONFIG"), Context: os.Getenv("PROA_TEST_CONTEXT")},
		Namespace: "proa-test-" + strings.ToLower(rand.Text()[:8]), Name: "facts", Capacity: "100Mi", Image: os.Getenv("PROA_TEST_MARIADB_IMAGE"),
	}
	s := serverOf(t, cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		err := s.client.CoreV1().Namespaces().Delete(ctx, cfg.Namespace, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return cfg
}

func serverOf(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// limited is a context that ends before the test does.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func ignore(string) {}

func up(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Up(limited(t), func(reason string) { t.Log(reason) }); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, s *Server) driver.Store {
	t.Helper()
	store, err := s.Open(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// mistake demands an error of the user's with these words in its text and in its hint.
func mistake(t *testing.T, err error, text, hint string) {
	t.Helper()
	var own *stack.Error
	if !errors.As(err, &own) || !strings.Contains(err.Error(), text) || !strings.Contains(own.Hint, hint) {
		t.Errorf("got %v (%+v), want %q with the hint %q", err, own, text, hint)
	}
}

// left lists what of the server is in its namespace, its volume included.
func left(t *testing.T, s *Server) []string {
	t.Helper()
	ctx := limited(t)
	var found []string
	check := func(name string, err error) {
		if err == nil {
			found = append(found, name)
		} else if !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	_, err := s.secrets().api.Get(ctx, s.cfg.Name, metav1.GetOptions{})
	check("secret", err)
	_, err = s.claims().api.Get(ctx, s.cfg.Name, metav1.GetOptions{})
	check("claim", err)
	_, err = s.services().api.Get(ctx, s.cfg.Name, metav1.GetOptions{})
	check("service", err)
	_, err = s.deployments().api.Get(ctx, s.cfg.Name, metav1.GetOptions{})
	check("deployment", err)
	pods, err := s.client.CoreV1().Pods(s.cfg.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		found = append(found, "pod "+pod.Name)
	}
	volumes, err := s.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Items {
		if v.Spec.ClaimRef != nil && v.Spec.ClaimRef.Namespace == s.cfg.Namespace {
			found = append(found, "volume "+v.Name)
		}
	}
	return found
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func(ctx context.Context) bool) {
	t.Helper()
	ctx := limited(t)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// onlyPod returns the server's one pod.
func onlyPod(t *testing.T, s *Server) corev1.Pod {
	t.Helper()
	pods, err := s.pods(limited(t))
	if err != nil || len(pods) != 1 {
		t.Fatalf("got %d pods, %v; want one", len(pods), err)
	}
	return pods[0]
}
