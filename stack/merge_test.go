package stack

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const commented = `# Our stacks. Ask the platform team before you change one.

apiVersion: proa/v1
active: k8s # everybody's
components:
  # Where the bytes are.
  artifact-store:
    s3: # shared by all teams
      flavor: s3
      attributes:
        # never the one in us-east-1
        path: "s3://bucket"
        path_style: true # MinIO
    old:
      flavor: s3
      attributes: {path: s3://old}
  metadata-store:
    db:
      flavor: mysql
      attributes:
        host: db # the replica is db2
        port: 3306
stacks:
  # The production stack.
  k8s: {orchestrator: default, artifact-store: s3, metadata-store: db}
# The end.
`

const commentedAfter = `# Our stacks. Ask the platform team before you change one.

apiVersion: proa/v1
active: cluster # everybody's
components:
  # Where the bytes are.
  artifact-store:
    bytes: # shared by all teams
      flavor: s3
      attributes:
        # never the one in us-east-1
        path: s3://other
        path_style: true # MinIO
  metadata-store:
    db:
      flavor: mysql
      attributes:
        host: db # the replica is db2
        port: 3306
  orchestrator:
    here:
      flavor: local
stacks:
  # The production stack.
  cluster: {orchestrator: default, artifact-store: bytes, metadata-store: db}
# The end.
`

func TestUpdateKeepsComments(t *testing.T) {
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	if err := os.WriteFile(files.Path(), []byte(commented), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*Config) error{
		func(c *Config) error { return c.RenameComponent(ArtifactStore, "s3", "bytes") },
		func(c *Config) error { return c.DeleteComponent(ArtifactStore, "old") },
		func(c *Config) error { return c.RenameStack("k8s", "cluster") },
		func(c *Config) error {
			s3, err := c.Component(ArtifactStore, "bytes")
			if err != nil {
				return err
			}
			s3.Attributes["path"] = "s3://other"
			return c.UpdateComponent(s3)
		},
		func(c *Config) error {
			return c.AddComponent(Component{Kind: Orchestrator, Name: "here", Flavor: "local"})
		},
	} {
		if err := files.Update(change); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(files.Path())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(commentedAfter, string(got)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
}

func TestRepositoryKeepsComments(t *testing.T) {
	r := Repository{Root: t.TempDir()}
	if _, err := InitRepository(r.Root); err != nil {
		t.Fatal(err)
	}
	for _, before := range []string{"", "# mine\n", "# mine\nactive: a # why\n"} {
		if err := os.WriteFile(r.path(), []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.SetActive("b"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(r.path())
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"":                          "apiVersion: proa/v1\nactive: b\n",
			"# mine\n":                  "# mine\napiVersion: proa/v1\nactive: b\n",
			"# mine\nactive: a # why\n": "# mine\nactive: b # why\napiVersion: proa/v1\n",
		}[before]
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", before, diff)
		}
	}
}

func TestRepositoryOfANewerVersionStays(t *testing.T) {
	r := Repository{Root: t.TempDir()}
	if _, err := InitRepository(r.Root); err != nil {
		t.Fatal(err)
	}
	const newer = "apiVersion: proa/v2\nactive: [a, b]\n"
	if err := os.WriteFile(r.path(), []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.SetActive("b"); err == nil || !strings.Contains(err.Error(), "a newer proa wrote this file") {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(r.path()); err != nil || string(got) != newer {
		t.Errorf("the file is changed: %v\n%s", err, got)
	}
}

func TestWritingThroughALink(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "dotfiles.yaml")
	if err := os.WriteFile(kept, []byte("# versioned\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	if err := os.Symlink(kept, files.Path()); err != nil {
		t.Fatal(err)
	}
	if err := files.Update(func(c *Config) error { return c.CopyStack(DefaultName, "mine") }); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# versioned\napiVersion: proa/v1\nactive: default\nstacks:\n  mine:\n    artifact-store: default\n    image-builder: default\n    metadata-store: default\n    orchestrator: default\n", string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatIsWrittenIsWhatIsRead makes hundreds of random changes, also with values that YAML could take for something
// else, and reads the file again after each.
func TestWhatIsWrittenIsWhatIsRead(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	values := []string{
		"x", "3306", "true", "null", "~", "0x10", "1e3", "a: b", "# no comment", "it's \"quoted\"", "two\nlines\n", " padded ",
		"100%", "%d", "{a}", "[b]", "&a", "*a", "!b", "@c", "größe", "\t", "2026-01-02", "y", "<<", "-", "?", "|", "> folded",
	}
	name := func() string { return pick("a", "b", "c", "true", "3306", "y", "null") }
	files := Files{Dir: t.TempDir(), BuiltIn: builtIn()}
	if err := os.WriteFile(files.Path(), []byte(commented), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		var want configFile
		err := files.Update(func(c *Config) error {
			randomChange(c, random.IntN(6), name(), name(), pick(values...))
			want = c.file()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := files.Load()
		if err != nil {
			t.Fatalf("after %d changes: %v", i+1, err)
		}
		if diff := cmp.Diff(want, got.file()); diff != "" {
			t.Fatalf("after %d changes (-written +read):\n%s", i+1, diff)
		}
	}
}

// randomChange does what it can; a refusal changes nothing.
func randomChange(c *Config, which int, name, other, value string) {
	switch which {
	case 0:
		_ = c.AddComponent(Component{Kind: ArtifactStore, Name: name, Flavor: "s3", Attributes: map[string]string{"path": value}})
	case 1:
		if old, err := c.Component(ArtifactStore, name); err == nil {
			old.Attributes[fmt.Sprintf("key%d", len(value))] = value
			_ = c.UpdateComponent(old)
		}
	case 2:
		_ = c.RenameComponent(ArtifactStore, name, other)
	case 3:
		_ = c.DeleteComponent(ArtifactStore, name)
	case 4:
		_ = c.AddStack(Stack{Name: name, Components: map[Kind]string{Orchestrator: DefaultName, ArtifactStore: other, MetadataStore: DefaultName}})
	case 5:
		_ = c.DeleteStack(name, "")
	}
}
