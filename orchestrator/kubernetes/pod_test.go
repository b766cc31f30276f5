package kubernetes

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func goldenYAML(t *testing.T, name string, object any) {
	t.Helper()
	data, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, name, data)
}

func testConfig() Config {
	return Config{
		Namespace: "ml", Run: "0123456789abcdef", Job: Owner{Name: "proa-0123456789abcdef", UID: "uid-1"},
		Secret: "proa-0123456789abcdef", Coordinator: "10.1.2.3:8443",
	}
}

func testAttempt() driver.Attempt {
	return driver.Attempt{
		Run: "0123456789abcdef", RunName: "Größe & Söhne-2026-11-24-08-31-07-123456", Pipeline: "Größe & Söhne",
		Step: "trainer", Number: 2, Name: "groesse-trainer-2-0123456789abcdef",
		Image:     "registry.example/proa@sha256:" + strings.Repeat("a", 64),
		Resources: &spec.Resources{CPU: "500m", Memory: "2Gi", GPU: 1}, Grace: 30 * time.Second,
	}
}

func TestBuildPod(t *testing.T) {
	pod, err := BuildPod(testConfig(), testAttempt())
	if err != nil {
		t.Fatal(err)
	}
	goldenYAML(t, "pod.yaml", pod)
}

func TestBuildPodBare(t *testing.T) {
	c, a := testConfig(), testAttempt()
	c.Coordinator, c.Job, a.Resources = "", Owner{}, nil
	pod, err := BuildPod(c, a)
	if err != nil {
		t.Fatal(err)
	}
	goldenYAML(t, "pod-bare.yaml", pod)
}

func TestBuildPodUser(t *testing.T) {
	for user, want := range map[string][2]int64{"": {65532, 65532}, "1000": {1000, 1000}, "1000:2000": {1000, 2000}, "0": {0, 0}} {
		a := testAttempt()
		a.User = user
		pod, err := BuildPod(testConfig(), a)
		if err != nil {
			t.Fatal(err)
		}
		c := pod.Spec.SecurityContext
		if got := [2]int64{*c.RunAsUser, *c.RunAsGroup}; got != want || *c.FSGroup != want[1] || *c.RunAsNonRoot != (want[0] != 0) {
			t.Errorf("user %q: runs as %v, group of files %d, non-root %v", user, got, *c.FSGroup, *c.RunAsNonRoot)
		}
	}
	a := testAttempt()
	a.User = "ada"
	if _, err := BuildPod(testConfig(), a); err == nil {
		t.Error("a user who is no number is accepted")
	}
}

func TestBuildPodBadQuantity(t *testing.T) {
	for _, r := range []spec.Resources{{CPU: "two"}, {Memory: "2 gigs"}} {
		a := testAttempt()
		a.Resources = &r
		_, err := BuildPod(testConfig(), a)
		if err == nil || !strings.Contains(err.Error(), "trainer") || !strings.Contains(err.Error(), "quantity such as") {
			t.Errorf("%+v: error %v doesn't name the step and the remedy", r, err)
		}
	}
}

func testSubmission() Submission {
	a := testAttempt()
	return Submission{
		Run: a.Run, RunName: a.RunName, Pipeline: a.Pipeline, CoordinatorImage: a.Image,
		CoordinatorArgs: []string{"coordinate"}, Config: []byte(`{"password":"s3cret"}`),
	}
}

func TestBuildJob(t *testing.T) {
	job, err := buildJob("ml", testSubmission())
	if err != nil {
		t.Fatal(err)
	}
	goldenYAML(t, "job.yaml", job)
	if text, err := json.Marshal(job); err != nil || strings.Contains(string(text), "s3cret") {
		t.Errorf("the job holds a secret (%v)", err)
	}
	if *job.Spec.PodReplacementPolicy != batchv1.TerminatingOrFailed {
		t.Error("a coordinator on a node that doesn't answer is not replaced")
	}
}

// TestPullSecret checks that a run with credentials of its registry has a Secret for the nodes, and refers to it everywhere.
func TestPullSecret(t *testing.T) {
	s := testSubmission()
	s.PullConfig = []byte(`{"auths":{"registry.example":{"password":"hush"}}}`)
	job, err := buildJob("ml", s)
	if err != nil {
		t.Fatal(err)
	}
	secret := buildPullSecret("ml", s, Owner{Name: job.Name, UID: "u"})
	if secret.Type != corev1.SecretTypeDockerConfigJson || !bytes.Equal(secret.Data[corev1.DockerConfigJsonKey], s.PullConfig) || len(secret.OwnerReferences) != 1 {
		t.Errorf("the secret is %+v", secret.ObjectMeta)
	}
	pod := job.Spec.Template.Spec
	if len(pod.ImagePullSecrets) != 1 || pod.ImagePullSecrets[0].Name != secret.Name {
		t.Errorf("the coordinator pulls with %v", pod.ImagePullSecrets)
	}
	env := map[string]string{envNamespace: "ml", step.RunEnv: s.Run}
	for _, e := range pod.Containers[0].Env {
		if e.Value != "" {
			env[e.Name] = e.Value
		}
	}
	c := testConfig()
	c.PullSecret = env[envPullSecret]
	made, err := BuildPod(c, testAttempt())
	if err != nil || len(made.Spec.ImagePullSecrets) != 1 || made.Spec.ImagePullSecrets[0].Name != secret.Name {
		t.Errorf("steps pull with %v (%v)", made.Spec.ImagePullSecrets, err)
	}
	if text, err := json.Marshal(job); err != nil || bytes.Contains(text, []byte("hush")) {
		t.Errorf("the job holds the password (%v)", err)
	}
}

func TestPermissions(t *testing.T) { golden(t, "permissions.yaml", []byte(Permissions(""))) }

func TestLabelValue(t *testing.T) {
	texts := []string{
		"trainer", "a.b_c-D", "", "-", "äöü", "with space", strings.Repeat("x", 63), strings.Repeat("x", 64),
		strings.Repeat("x", 65), strings.Repeat("é ", 100), "trailing-", "_leading", "日本語", "日本",
	}
	seen := map[string]string{}
	for _, text := range texts {
		value := labelValue(text)
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Errorf("labelValue(%q) = %q: %v", text, value, problems)
		}
		if other, ok := seen[value]; ok {
			t.Errorf("%q and %q are both %q", text, other, value)
		}
		seen[value] = text
	}
	if got := labelValue("trainer"); got != "trainer" {
		t.Errorf("a good name became %q", got)
	}
}
