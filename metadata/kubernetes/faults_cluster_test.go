package kubernetes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/metadata/driver"
)

// TestMissingImage: what waits says why, can be interrupted, gives up, and can be removed.
func TestMissingImage(t *testing.T) {
	cfg := onCluster(t)
	cfg.Image = cfg.Image + "-none"
	s := serverOf(t, cfg)
	ctx, interrupt := context.WithCancel(limited(t))
	defer interrupt()
	var told string
	err := s.Up(ctx, func(reason string) {
		if told = reason; strings.Contains(reason, "can't be pulled") {
			interrupt()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(told, cfg.Image) {
		t.Errorf("interrupted: got %v, told %q", err, told)
	}
	mistake(t, s.Up(limited(t), ignore), "the image "+cfg.Image+" can't be pulled", "--image")
	if err := s.Remove(limited(t), ignore); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is left", func(context.Context) bool { return len(left(t, s)) == 0 })
}

// TestMissingClass: a claim that nothing would provide a volume for is not even made.
func TestMissingClass(t *testing.T) {
	cfg := onCluster(t)
	cfg.StorageClass = "proa-test-no-such-class"
	s := serverOf(t, cfg)
	mistake(t, s.Up(limited(t), ignore), `the cluster has no storage class "proa-test-no-such-class"`, "--storage_class")
	if found := left(t, s); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// TestForeignObjects: what proa didn't make is neither changed nor removed.
func TestForeignObjects(t *testing.T) {
	s := serverOf(t, onCluster(t))
	if err := s.makeNamespace(limited(t)); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: s.cfg.Name}, Data: map[string][]byte{"precious": []byte("x")}}
	if _, err := s.client.CoreV1().Secrets(s.cfg.Namespace).Create(limited(t), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	mistake(t, s.Up(limited(t), ignore), "that proa didn't make", "--deployment_name")
	mistake(t, s.Remove(limited(t), ignore), "that proa didn't make", "--deployment_name")
	got, err := s.secrets().api.Get(limited(t), s.cfg.Name, metav1.GetOptions{})
	if err != nil || string(got.Data["precious"]) != "x" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestUnreachableCluster needs no cluster.
func TestUnreachableCluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	const content = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t0ken}}]
contexts: [{name: away, context: {cluster: c, user: u}}]
`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Kubeconfig, cfg.Context = path, "away"
	s := serverOf(t, cfg)
	_, openErr := s.Open(limited(t))
	for name, err := range map[string]error{
		"up": s.Up(limited(t), ignore), "down": s.Down(limited(t), ignore), "remove": s.Remove(limited(t), ignore), "open": openErr,
	} {
		if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), `context "away" at https://127.0.0.1:1`) || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	cfg.Context = "awya"
	if _, err := New(cfg, nil); err == nil || !strings.Contains(err.Error(), "it has: away") {
		t.Errorf("got %v", err)
	}
}
