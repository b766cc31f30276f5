package kubernetes

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testConfig() Config {
	return Config{Namespace: "team", Name: "facts", Capacity: "10Gi", StorageClass: "fast", Image: "mysql:8.4"}
}

func TestObjects(t *testing.T) {
	cfg := testConfig()
	var all strings.Builder
	for _, object := range []any{
		cfg.buildNamespace(), cfg.buildSecret("ROOTWORD", "PASSWORD"), cfg.buildClaim(), cfg.buildService(), cfg.buildDeployment(),
	} {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n" + string(data))
	}
	path := filepath.Join("testdata", "objects.yaml")
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("the objects differ from %s (-want +got); -update rewrites it:\n%s", path, diff)
	}
}

func TestDefaultStorageClass(t *testing.T) {
	cfg := testConfig()
	cfg.StorageClass = ""
	if class := cfg.buildClaim().Spec.StorageClassName; class != nil {
		t.Errorf("got class %q, want none: an empty one is not the default", *class)
	}
}

func TestCheckConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"name":      func(c *Config) { c.Name = "1st" },
		"long name": func(c *Config) { c.Name = strings.Repeat("x", 64) },
		"capacity":  func(c *Config) { c.Capacity = "much" },
		"negative":  func(c *Config) { c.Capacity = "-1Gi" },
		"namespace": func(c *Config) { c.Namespace = "" },
		"image":     func(c *Config) { c.Image = "" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			if err := cfg.check(); err != nil {
				t.Fatal(err)
			}
			if change(&cfg); cfg.check() == nil {
				t.Errorf("%+v was taken", cfg)
			}
		})
	}
}
