package kubernetes

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/secrets/driver"
	"github.com/proa-ml/proa/secrets/drivertest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// cluster returns a client of the test's cluster.
func cluster(t *testing.T) kubernetes.Interface {
	t.Helper()
	name := os.Getenv("PROA_TEST_CONTEXT")
	if name == "" {
		testbed.Missing(t, "PROA_TEST_CONTEXT is not set, so there is no cluster to test on: run `make test-go`")
	}
	config, _, err := kubeconfig.Cluster{Kubeconfig: kubeconfig.Files(os.Getenv), Context: name}.Rest()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubeconfig.Client(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// namespace makes a namespace for one test.
func namespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	made, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "proa-secrets-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lasting := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(lasting, made.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return made.Name
}

// TestConformance runs the suite on a real cluster.
func TestConformance(t *testing.T) {
	client := cluster(t)
	var made atomic.Int64
	drivertest.Run(t, func(t *testing.T) func() driver.Store {
		name := namespace(t, client)
		made.Add(1)
		return func() driver.Store { return New(Config{Client: client, Namespace: name, Where: "the test's cluster"}) }
	})
	if made.Load() == 0 {
		t.Error("nothing was tested")
	}
}

// TestOthersAreLeftAlone has Secrets in the namespace that are not ours.
func TestOthersAreLeftAlone(t *testing.T) {
	client := cluster(t)
	ctx, where := t.Context(), namespace(t, client)
	for _, name := range []string{"theirs", objectName("taken")} {
		other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"k": "theirs"}}
		if _, err := client.CoreV1().Secrets(where).Create(ctx, other, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	store := New(Config{Client: client, Namespace: where, Where: "the test's cluster"})
	if names, err := store.Names(ctx); err != nil || len(names) > 0 {
		t.Errorf("listed are %v, %v", names, err)
	}
	for doing, err := range map[string]error{
		"get":    func() error { _, err := store.Get(ctx, "taken"); return err }(),
		"update": store.Update(ctx, "taken", func(values map[string]string) error { values["k"] = "ours"; return nil }),
		"delete": store.Delete(ctx, "taken"),
	} {
		if err == nil || !strings.Contains(err.Error(), "somebody else's") {
			t.Errorf("%s: %v", doing, err)
		}
	}
	left, err := client.CoreV1().Secrets(where).Get(ctx, objectName("taken"), metav1.GetOptions{})
	if err != nil || string(left.Data["k"]) != "theirs" {
		t.Errorf("left is %v, %v", left, err)
	}
}

func TestMissingNamespace(t *testing.T) {
	store := New(Config{Client: cluster(t), Namespace: fmt.Sprintf("proa-no-such-%d", os.Getpid()), Where: "the test's cluster"})
	err := store.Create(t.Context(), "a", map[string]string{"k": "the-canary"})
	if err == nil || !strings.Contains(err.Error(), "kubectl create namespace") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestObjectNames(t *testing.T) {
	for name, want := range map[string]string{
		"database": "proa-secret-database", "a-1": "proa-secret-a-1",
		"Database": "proa-secret-database.", "a_1": "proa-secret-a-1.", "a-": "proa-secret-a.", strings.Repeat("x", 128): "proa-secret-" + strings.Repeat("x", 60) + ".",
	} {
		got := objectName(name)
		if got != want && !(strings.HasSuffix(want, ".") && strings.HasPrefix(got, want) && len(got) == len(want)+16) {
			t.Errorf("%q is kept in %q", name, got)
		}
	}
}
