package launch

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/stack"
)

func TestLaunchers(t *testing.T) {
	bin := t.TempDir()
	foreign := "arm64"
	if runtime.GOARCH == "arm64" {
		foreign = "amd64"
	}
	own := filepath.Join(bin, "proa-step")
	if err := os.WriteFile(own, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	l := &launch{Kit: &kit.Kit{Executable: filepath.Join(bin, "proa")}}
	both := plan.Image{Platform: "linux/" + runtime.GOARCH + ",linux/" + foreign}
	_, err := l.launchers(both)
	if err == nil || !strings.Contains(err.Error(), own+"-linux-"+foreign+" is missing") {
		t.Errorf("launchers without the other platform's: %v", err)
	}
	if err := os.WriteFile(own+"-linux-"+foreign, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := l.launchers(both)
	if err != nil {
		t.Fatal(err)
	}
	const at = "/opt/proa/bin/proa-step"
	want := map[string]map[string]string{"linux/" + foreign: {at: own + "-linux-" + foreign}}
	if runtime.GOOS == "linux" {
		want["linux/"+runtime.GOARCH] = map[string]string{at: own}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("launchers (-want +got):\n%s", diff)
	}
}

func TestRecipe(t *testing.T) {
	options := func(text string) (o map[string]json.RawMessage) {
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	got, err := recipe(plan.Image{Dockerfile: "./Dockerfile", BuildContextRoot: "/context", AptPackages: []string{"git"},
		BuildOptions: options(`{"buildargs":{"A":"1"},"target":"run","nocache":true}`)}, "/src")
	if err != nil {
		t.Fatal(err)
	}
	want := imagedriver.Recipe{Dockerfile: "/src/Dockerfile", Context: "/context", Packages: []string{"git"},
		Options: imagedriver.BuildOptions{Args: map[string]string{"A": "1"}, Target: "run", NoCache: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recipe (-want +got):\n%s", diff)
	}
	if _, err := recipe(plan.Image{Dockerfile: "Dockerfile", BuildOptions: options(`{"buildarg":{}}`)}, "/src"); err == nil || !strings.Contains(err.Error(), "buildargs") {
		t.Errorf("a misspelt option: %v", err)
	}
	if _, err := recipe(plan.Image{BuildOptions: options(`{"pull":true}`)}, "/src"); err == nil {
		t.Error("build_options without a dockerfile are accepted")
	}
}

func TestWarnOfPulling(t *testing.T) {
	for _, until := range []time.Time{{}, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} {
		var status bytes.Buffer
		l := &launch{Kit: &kit.Kit{Streams: kit.Streams{Err: &status}}, pull: imagedriver.PullConfig{Until: until}}
		l.stack.Components = map[stack.Kind]stack.Component{stack.ContainerRegistry: {Name: "ecr"}}
		l.warnOfPulling()
		if warned := strings.Contains(status.String(), `"ecr" that the nodes are given ends at 2030-01-02T03:04:05Z`); warned == until.IsZero() {
			t.Errorf("of a login until %v it says %q", until, status.String())
		}
	}
}
