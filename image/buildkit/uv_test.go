package buildkit_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/testbed"
)

// TestDockerUV: the base's uv installs, with the arguments that it is given, from the index that pip has on this machine.
func TestDockerUV(t *testing.T) {
	bed := newEngines(t)
	uv, err := exec.LookPath("uv")
	if err != nil {
		testbed.Missing(t, "there is no uv on the PATH: it is in the Python environment that `make venv` makes")
	}
	const password = "canary-77ab10"
	address := bed.index(t, password)
	config := "[global]\nindex-url = http://ada:" + password + "@" + address + "/simple\n[install]\ntrusted-host =\n  " + bed.host + "\n"
	path := filepath.Join(t.TempDir(), "pip.conf")
	write(t, path, config)
	index, err := buildkit.FindIndex(func(name string) string { return map[string]string{"PIP_CONFIG_FILE": path}[name] })
	check(t, err)
	root := folder(t, map[string]string{"Dockerfile": "FROM " + bed.base + "\nCOPY uv /usr/local/bin/uv\n"})
	program, err := os.ReadFile(uv)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(root, "uv"), program, 0o755))
	r := bed.request(t)
	r.Requirements, r.Installer, r.InstallerArgs = []string{"proa-greeting==1.0"}, "uv", []string{"--target", "/srv/installed"}
	r.Recipe = driver.Recipe{Dockerfile: filepath.Join(root, "Dockerfile"), Context: root, Options: driver.BuildOptions{Network: "host"}}
	made, err := bed.builder(t, bed.docker, index).Build(t.Context(), r, nil)
	check(t, err)
	files, configured := contents(t, made.Ref)
	if files["srv/installed/proa_greeting.py"] != "text = 'hello'\n" {
		t.Errorf("not installed: %v", slices.DeleteFunc(slices.Collect(maps.Keys(files)), func(path string) bool { return !strings.HasPrefix(path, "srv/") }))
	}
	if files["srv/installed/proa_greeting-1.0.dist-info/INSTALLER"] != "uv" {
		t.Error("it wasn't uv that has installed")
	}
	for path, content := range files {
		if strings.Contains(content, password) || strings.Contains(configured, password) {
			t.Errorf("%s, or the config, has the index's password in it", path)
		}
	}
}

func TestFindIndexOfUV(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want map[string]string
	}{
		"its own":  {env: map[string]string{"UV_INDEX_URL": "http://a", "PIP_INDEX_URL": "http://b"}, want: map[string]string{"UV_DEFAULT_INDEX": "http://a", "PIP_INDEX_URL": "http://b"}},
		"pip's":    {env: map[string]string{"PIP_EXTRA_INDEX_URL": "http://b http://c"}, want: map[string]string{"UV_INDEX": "http://b http://c", "PIP_EXTRA_INDEX_URL": "http://b http://c"}},
		"nobody's": {want: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			index, err := buildkit.FindIndex(func(name string) string {
				if name == "PIP_CONFIG_FILE" {
					return os.DevNull
				}
				return c.env[name]
			})
			check(t, err)
			if diff := cmp.Diff(c.want, index.Variables); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
