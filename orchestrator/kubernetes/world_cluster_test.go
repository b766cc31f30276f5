package kubernetes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/step"
)

// patience bounds every wait of the tests on a cluster.
const patience = 90 * time.Second

// world is a real cluster, and a namespace of the test's own in it.
type world struct {
	client *Client
	api    kubernetes.Interface
	image  string
	// coordinator is how coordinators reach the cluster.
	coordinator *rest.Config

	mu sync.Mutex
	// ports are those that the runs' channels were served on: a coordinator that is started again keeps its address.
	ports map[string]string
}

// onCluster returns the cluster that the variables PROA_TEST_* describe, or skips the test. Its namespace is made by
// the client under test, and deleted afterwards.
func onCluster(t *testing.T) *world {
	t.Helper()
	if os.Getenv("PROA_TEST_CONTEXT") == "" {
		testbed.Missing(t, "PROA_TEST_CONTEXT is not set: no cluster to test on (go run ./hack/cluster up makes one)")
	}
	client, err := NewClient(ClientConfig{
		Kubeconfig: os.Getenv("PROA_TEST_KUBECONFIG"),
		Context:    os.Getenv("PROA_TEST_CONTEXT"),
		Namespace:  "proa-test-" + random(t, 4),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{client: client, api: client.client, image: testImage(t), coordinator: client.rest, ports: map[string]string{}}
	if err := client.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.deleteNamespace(t, client.namespace) })
	return w
}

func (w *world) deleteNamespace(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := w.api.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Errorf("deleting the test's namespace: %v", err)
	}
}

func random(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// open makes a run's Secret, which Submit makes otherwise, and opens its orchestrator in this process.
func (w *world) open(t *testing.T, run string, reachable bool) *Orchestrator {
	t.Helper()
	access, certificate, private, err := w.client.secrets(w.access())
	if err != nil {
		t.Fatal(err)
	}
	secrets := w.api.CoreV1().Secrets(w.client.namespace)
	secret := buildSecret(w.client.namespace, Submission{Run: run}, Owner{}, access, certificate, private)
	_, err = secrets.Create(t.Context(), secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		secret, err = secrets.Get(t.Context(), secret.Name, metav1.GetOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	listener, port := w.listen(t, run)
	host := w.host(t)
	if !reachable {
		host = "192.0.2.1" // reserved for documentation: nobody answers
	}
	var given step.Access
	if err := json.Unmarshal(secret.Data[keyAccess], &given); err != nil {
		t.Fatal(err)
	}
	o, err := Open(t.Context(), Config{
		Namespace: w.client.namespace, Run: run, Secret: secret.Name, Coordinator: net.JoinHostPort(host, port),
		Certificate: secret.Data[keyCertificate], PrivateKey: secret.Data[keyPrivate], Key: given.Key,
	}, &Options{Rest: w.coordinator, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (w *world) listen(t *testing.T, run string) (net.Listener, string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	port := w.ports[run]
	if port == "" {
		port = "0"
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		t.Fatal(err)
	}
	_, w.ports[run], err = net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return listener, w.ports[run]
}

func (w *world) access() step.Access {
	return step.Access{Store: step.Store{
		URL: "s3://" + os.Getenv("PROA_TEST_S3_BUCKET") + "/" + w.client.namespace,
		Options: map[string]string{
			"endpoint": os.Getenv("PROA_TEST_S3_ENDPOINT"), "region": os.Getenv("PROA_TEST_S3_REGION"),
			"key": os.Getenv("PROA_TEST_S3_KEY"), "secret": os.Getenv("PROA_TEST_S3_SECRET"), "path_style": "true",
		},
	}}
}

// host is the address at which pods reach this machine: the one from which it reaches their node, unless it is told.
func (w *world) host(t *testing.T) string {
	t.Helper()
	if host := os.Getenv("PROA_TEST_HOST"); host != "" {
		return host
	}
	nodes, err := w.api.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatalf("listing nodes: %v", err)
	}
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			conn, err := net.Dial("udp", net.JoinHostPort(address.Address, "9"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
			return host
		}
	}
	t.Fatal("the node has no address")
	return ""
}

func (w *world) attempt(run, name string) driver.Attempt {
	return driver.Attempt{Run: run, Step: "a step", Pipeline: "a pipeline", Number: 1, Name: name, Image: w.image, Grace: time.Second}
}

// watch watches until the test ends.
func watching(t *testing.T, o *Orchestrator, run string, known ...string) *heard {
	t.Helper()
	h := newHeard()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Watch(ctx, run, known, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
		if err := o.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}

// until waits for a status that pleases, and returns it.
func (h *heard) until(t *testing.T, what string, pleases func(driver.Status) bool) driver.Status {
	t.Helper()
	deadline := time.After(patience)
	for {
		h.mu.Lock()
		for _, s := range h.statuses {
			if pleases(s) {
				h.mu.Unlock()
				return s
			}
		}
		h.mu.Unlock()
		select {
		case <-h.changed:
		case <-deadline:
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Fatalf("waited in vain for %s; told: %+v", what, h.statuses)
		}
	}
}

func (h *heard) ended(t *testing.T, attempt string) driver.Status {
	t.Helper()
	return h.until(t, "the end of "+attempt, func(s driver.Status) bool { return s.Attempt == attempt && s.Phase == driver.Ended })
}

func (h *heard) running(t *testing.T, attempt string) {
	t.Helper()
	h.until(t, attempt+" to run", func(s driver.Status) bool { return s.Attempt == attempt && s.Phase == driver.Running })
}
