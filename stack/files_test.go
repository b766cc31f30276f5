package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func builtIn() []Component {
	return []Component{
		{Kind: Orchestrator, Name: DefaultName, Flavor: "local"},
		{Kind: ArtifactStore, Name: DefaultName, Flavor: "local", Attributes: map[string]string{"path": "/a"}},
		{Kind: MetadataStore, Name: DefaultName, Flavor: "sqlite", Attributes: map[string]string{"path": "/m"}},
		{Kind: ImageBuilder, Name: DefaultName, Flavor: "oci"},
	}
}

func TestFilesKeepWhatIsRegistered(t *testing.T) {
	files := Files{Dir: filepath.Join(t.TempDir(), "config"), BuiltIn: builtIn()}
	want := Component{Kind: ArtifactStore, Name: "s3", Flavor: "s3", Attributes: map[string]string{"path": "s3://b", "path_style": "true", "port": "3306"}}
	err := files.Update(func(c *Config) error {
		if err := c.AddComponent(want); err != nil {
			return err
		}
		s := Stack{Name: "mine", Components: map[Kind]string{Orchestrator: DefaultName, ArtifactStore: "s3", MetadataStore: DefaultName}}
		if err := c.AddStack(s); err != nil {
			return err
		}
		return c.SetActive("mine")
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := files.Load()
	if err != nil {
		t.Fatal(err)
	}
	if config.Active() != "mine" {
		t.Errorf("the active stack is %q", config.Active())
	}
	resolved, err := config.Resolve("mine")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, resolved.Components[ArtifactStore]); diff != "" {
		t.Errorf("what was registered (-want +got):\n%s", diff)
	}
	if got := resolved.Components[ImageBuilder].Name; got != DefaultName {
		t.Errorf("a stack without an image builder gets %q", got)
	}
	info, err := os.Stat(files.Path())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v: others could read credentials", info.Mode())
	}
}

func TestUpdateThatFailsWritesNothing(t *testing.T) {
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	err := files.Update(func(c *Config) error {
		if err := c.AddComponent(Component{Kind: Orchestrator, Name: "o", Flavor: "local"}); err != nil {
			return err
		}
		return c.SetActive("nowhere")
	})
	if err == nil || !strings.Contains(err.Error(), `no stack "nowhere"`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(files.Path()); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}

// TestUpdatesDontLoseEachOther has many writers at once; each has a lock of its own, as processes have.
func TestUpdatesDontLoseEachOther(t *testing.T) {
	dir := t.TempDir()
	const writers = 16
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			files := Files{Dir: dir, BuiltIn: builtIn()}
			name := fmt.Sprintf("o%d", i)
			err := files.Update(func(c *Config) error {
				return c.AddComponent(Component{Kind: Orchestrator, Name: name, Flavor: "local"})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	config, err := Files{Dir: dir, BuiltIn: builtIn()}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(config.Components(Orchestrator)); got != writers+1 {
		t.Errorf("%d orchestrators are left of %d", got, writers+1)
	}
}

func TestStrictDecoding(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"unknown key":       {"apiVersion: proa/v1\nactve: x\n", `line 2: unknown key "actve"; did you mean "active"?`},
		"unknown kind":      {"components:\n  orchestrators: {}\n", `line 2: unknown key "orchestrators"; did you mean "orchestrator"?`},
		"unknown attribute": {"components:\n  orchestrator:\n    o:\n      flavour: local\n", `line 4: unknown key "flavour"; did you mean "flavor"?`},
		"twice":             {"active: a\nactive: b\n", `line 2: key "active" occurs twice`},
		"newer version":     {"actve: x\napiVersion: proa/v9\n", `line 2: a newer proa wrote this file: its version is proa/v9, and this proa knows proa/v1`},
		"other version":     {"apiVersion: v1\n", `line 1: apiVersion "v1" is not known`},
		"not a mapping":     {"stacks: [1]\n", `line 1: expected a mapping`},
		"not YAML":          {"a: [\n", `line 1`},
		"built in":          {"stacks:\n  default: {orchestrator: default}\n", `line 2: the stack "default" is built in`},
	} {
		t.Run(name, func(t *testing.T) {
			files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
			if err := os.WriteFile(files.Path(), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := files.Load()
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), files.Path()) {
				t.Errorf("got %v\nwant the file's path and %s", err, c.want)
			}
		})
	}
}

func TestEmptyFileIsTheBuiltInStack(t *testing.T) {
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	if err := os.WriteFile(files.Path(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := files.Load()
	if err != nil || config.Active() != DefaultName {
		t.Errorf("got %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"k8s", "my-stack.v2", "größe"} {
		if err := CheckName("stack", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-x", "a b", "a/b", "a\n", strings.Repeat("x", 129)} {
		if CheckName("stack", bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func ExampleConfig_Resolve() {
	config := NewConfig([]Component{
		{Kind: Orchestrator, Name: DefaultName, Flavor: "local"},
		{Kind: ArtifactStore, Name: DefaultName, Flavor: "local"},
		{Kind: MetadataStore, Name: DefaultName, Flavor: "sqlite"},
	})
	resolved, err := config.Resolve(config.Active())
	fmt.Println(resolved.Name, resolved.Components[MetadataStore].Flavor, err)
	// Output: default sqlite <nil>
}

// TestFileCutInTheMiddle cuts a file at every byte: what is left is read or refused with its path, and never panics.
func TestFileCutInTheMiddle(t *testing.T) {
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	for i := range commented {
		if err := os.WriteFile(files.Path(), []byte(commented[:i]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Load(); err != nil && !strings.Contains(err.Error(), files.Path()+": line ") {
			t.Fatalf("cut after %d bytes: the error doesn't name the file and the line: %v", i, err)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	if err := os.Mkdir(files.Path(), 0o700); err != nil { // a mode would not keep root out
		t.Fatal(err)
	}
	for _, err := range []error{files.Update(func(*Config) error { return nil }), func() error { _, err := files.Load(); return err }()} {
		if err == nil || !strings.Contains(err.Error(), files.Path()) {
			t.Errorf("got %v", err)
		}
	}
}
