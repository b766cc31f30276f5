package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/step"
)

const userConfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t0ken}}]
contexts:
- {name: work, context: {cluster: c, user: u}}
- {name: home, context: {cluster: c, user: u}}
current-context: work
`

func writeKubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(userConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewClientUnknownContext(t *testing.T) {
	_, err := NewClient(ClientConfig{Kubeconfig: writeKubeconfig(t), Context: "wrok"}, nil)
	var unknown *kubeconfig.UnknownContextError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "home, work") {
		t.Errorf("got %v, want an error that lists what is known", err)
	}
}

func TestCheckWithoutCluster(t *testing.T) {
	c, err := NewClient(ClientConfig{Kubeconfig: writeKubeconfig(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(t.Context())
	if !errors.Is(err, orchestrator.ErrUnavailable) || !strings.Contains(err.Error(), `"work" at https://127.0.0.1:1`) {
		t.Errorf("got %v, want unavailable, with context and address", err)
	}
	if strings.Contains(err.Error(), "t0ken") {
		t.Errorf("the error tells the token: %v", err)
	}
}

func TestExplainError(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, test := range map[string]struct {
		err         error
		unavailable bool
		words       string
	}{
		"throttled":  {apierrors.NewTooManyRequests("slow down", 1), true, "slow down"},
		"down":       {errors.New("dial tcp: connection refused"), true, "refused"},
		"late":       {context.DeadlineExceeded, true, "deadline"},
		"server":     {apierrors.NewInternalError(errors.New("etcd has no leader")), true, "no leader"},
		"quota":      {apierrors.NewForbidden(pods, "p", errors.New("exceeded quota: q, requested: pods=1")), true, "waiting for room"},
		"forbidden":  {apierrors.NewForbidden(pods, "p", errors.New(`User "ada" cannot create resource "pods"`)), false, "proa orchestrator permissions"},
		"proxy":      {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "by order of the proxy"}}, false, "proa orchestrator permissions"},
		"log in":     {apierrors.NewUnauthorized("expired"), false, "log in again"},
		"invalid":    {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", nil), false, "invalid"},
		"cancelled":  {context.Canceled, false, "canceled"},
		"not found":  {apierrors.NewNotFound(pods, "p"), false, "not found"},
		"bad":        {apierrors.NewBadRequest("unknown field"), false, "unknown field"},
		"conflict":   {apierrors.NewConflict(pods, "p", errors.New("the object has been modified")), true, "modified"},
		"time limit": {apierrors.NewServerTimeout(pods, "create", 1), true, "could not be completed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := explainError("doing it", test.err)
			if mayPass(err) != test.unavailable || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want unavailable %v and %q", err, test.unavailable, test.words)
			}
		})
	}
	if explainError("doing it", nil) != nil {
		t.Error("no error became one")
	}
}

func TestParseSettings(t *testing.T) {
	s, err := ParseSettings(map[string]json.RawMessage{"pod_settings": json.RawMessage(`{"host_ipc":true}`)})
	if err != nil || string(s.PodSettings) != `{"host_ipc":true}` {
		t.Errorf("got %+v, %v", s, err)
	}
	_, err = ParseSettings(map[string]json.RawMessage{"pod_setings": json.RawMessage(`{}`)})
	if err == nil || !strings.Contains(err.Error(), "pod_settings") {
		t.Errorf("got %v, want the nearest known setting", err)
	}
}

func TestLoadInCluster(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		keyConfig: `{"a":1}`, keyAccess: `{"key":"a2V5","store":{"url":"s3://b"}}`, keyCertificate: "cert", keyPrivate: "key",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{
		step.RunEnv: "r1", envNamespace: "ml", envJob: "proa-r1", envJobUID: "u1", envPodIP: "fd00::7", EnvPodName: "proa-r1-x",
	}
	in, err := LoadInCluster(func(k string) string { return env[k] }, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Namespace: "ml", Run: "r1", Job: Owner{"proa-r1", "u1"}, Secret: "proa-r1", Coordinator: "[fd00::7]:8443", Pod: "proa-r1-x", Listen: ":8443",
		Certificate: []byte("cert"), PrivateKey: []byte("key"), Key: []byte("key"),
	}
	if diff := cmp.Diff(want, in.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if string(in.Data) != `{"a":1}` || in.Access.Store.URL != "s3://b" {
		t.Errorf("got %q and %+v", in.Data, in.Access)
	}
	if _, err := LoadInCluster(func(string) string { return "" }, dir); err == nil || !strings.Contains(err.Error(), "proa run") {
		t.Errorf("outside a pod: %v", err)
	}
}
