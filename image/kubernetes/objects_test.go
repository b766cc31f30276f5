package kubernetes

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/image/buildkit"
)

func TestDaemonConfig(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		route buildkit.Route
		want  string
	}{
		"TLS":   {route: buildkit.Route{Host: "ghcr.io"}},
		"plain": {route: buildkit.Route{Host: "10.0.0.1:5000", HTTP: true}, want: "[registry.\"10.0.0.1:5000\"]\n  http = true\n"},
		"authority": {route: buildkit.Route{Host: "registry.example.com", CA: []byte("PEM")},
			want: "[registry.\"registry.example.com\"]\n  ca = [\"/etc/proa-builder/registry-ca.pem\"]\n"},
		"another address inside": {route: buildkit.Route{Host: "localhost:5000", Inside: "registry.ci.svc:5000", HTTP: true},
			want: "[registry.\"localhost:5000\"]\n  mirrors = [\"registry.ci.svc:5000\"]\n[registry.\"registry.ci.svc:5000\"]\n  http = true\n"},
		"others": {cfg: Config{PlainHTTP: []string{"a:1", "b:1"}}, route: buildkit.Route{Host: "a:1", HTTP: true},
			want: "[registry.\"a:1\"]\n  http = true\n[registry.\"b:1\"]\n  http = true\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.cfg.daemonConfig(c.route)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildJob(t *testing.T) {
	cfg := Config{Namespace: "builds", Image: "moby/buildkit:x", Storage: "20Gi", ServiceAccount: "builder", NodeSelectors: map[string]string{"pool": "builds"}}
	job := cfg.buildJob("proa-builder-1", buildkit.Route{Host: "r", CA: []byte("PEM")}, 5*time.Minute)
	spec, c := job.Spec.Template.Spec, job.Spec.Template.Spec.Containers[0]
	got := map[string]any{
		"deadline": *job.Spec.ActiveDeadlineSeconds, "ttl": *job.Spec.TTLSecondsAfterFinished, "again": *job.Spec.BackoffLimit,
		"token": *spec.AutomountServiceAccountToken, "user": *spec.SecurityContext.RunAsUser, "privileged": c.SecurityContext.Privileged != nil,
		"seccomp": string(c.SecurityContext.SeccompProfile.Type), "storage": spec.Volumes[0].EmptyDir.SizeLimit.String(), "listens": c.Args[0],
		"account": spec.ServiceAccountName, "pool": spec.NodeSelector["pool"], "environment": len(c.Env),
	}
	want := map[string]any{
		"deadline": int64(300), "ttl": int32(60), "again": int32(0), "token": false, "user": int64(1000), "privileged": false,
		"seccomp": "Unconfined", "storage": "20Gi", "listens": "--addr=tcp://127.0.0.1:1234", "account": "builder", "pool": "builds", "environment": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cfg.Privileged = true
	if c := cfg.buildContainer(); !*c.SecurityContext.Privileged {
		t.Error("a privileged builder isn't privileged")
	}
}

// TestKeptName: who wants the same builder finds it, and who wants another one doesn't.
func TestKeptName(t *testing.T) {
	name := func(cfg Config, host string) string {
		n, err := cfg.keptName(buildkit.Route{Host: host, HTTP: true})
		if err != nil || !strings.HasPrefix(n, namePrefix) || len(n) > 50 {
			t.Fatalf("%q, %v", n, err)
		}
		return n
	}
	first := name(Config{Image: "a"}, "r")
	if name(Config{Image: "a", KeepAlive: time.Hour}, "r") != first {
		t.Error("equal builders have two names")
	}
	if name(Config{Image: "b"}, "r") == first || name(Config{Image: "a"}, "s") == first {
		t.Error("two builders have one name")
	}
}

func TestParse(t *testing.T) {
	resources, err := ParseResources(`{"limits":{"memory":"4Gi"}}`)
	if err != nil || resources.Limits.Memory().String() != "4Gi" {
		t.Errorf("%v, %v", resources, err)
	}
	tolerations, err := ParseTolerations(`[{"key":"builds","operator":"Exists"}]`)
	if err != nil || tolerations[0].Operator != corev1.TolerationOpExists {
		t.Errorf("%v, %v", tolerations, err)
	}
	if _, err := ParseResources(`{"limit":{}}`); err == nil || !strings.Contains(err.Error(), "limits") {
		t.Errorf("an unknown field: %v", err)
	}
	if _, err := ParseNodeSelectors(`{"pool":1}`); err == nil {
		t.Error("a number is taken for a label")
	}
}
