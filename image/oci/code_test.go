package oci_test

import (
	"archive/tar"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/image/oci"
)

// codeOf builds an image of a folder and lists what became of it.
func codeOf(t *testing.T, root string) (map[string]*tar.Header, string) {
	t.Helper()
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	rec := &recorder{}
	img, err := quick(t, oci.Options{}).Build(t.Context(), request(s, root), rec)
	check(t, err)
	return entries(t, pull(t, img.Ref), 3), rec.text()
}

func names(files map[string]*tar.Header) []string {
	var out []string
	for name, h := range files {
		if h.Typeflag != tar.TypeDir {
			out = append(out, strings.TrimPrefix(name, "app/"))
		}
	}
	slices.Sort(out)
	return out
}

func TestCodeLeavesOut(t *testing.T) {
	root := tree(t, map[string]string{
		"run.py": "1", "lib/a.py": "2", "lib/__pycache__/a.pyc": "3", ".git/config": "4", ".proa/stack.yaml": "5",
		"venv/pyvenv.cfg": "6", "venv/lib/x.py": "7", ".env": "S=1", "deep/.env.local": "S=2", "deep/.ssh/id_rsa": "8",
		"id_ed25519": "9", "x.egg-info/PKG-INFO": "10", ".netrc": "11", ".aws/credentials": "12",
		".dockerignore": "# data\ndata\n!data/keep.csv\n**/*.log\n/top-only.txt\ntmp?/\n\n",
		"data/a.csv":    "13", "data/keep.csv": "14", "a.log": "15", "lib/b.log": "16", "top-only.txt": "17", "lib/top-only.txt": "18",
		"tmp1/x": "19", "tmpfile.txt": "20",
		".proaignore":    "notes/[a-c]*.md\nwild/**/skip\nescaped\\*\n",
		"notes/alpha.md": "21", "notes/zeta.md": "22", "wild/a/b/skip/x": "23", "wild/skip": "24", "wild/a/take": "25",
		"escaped*": "26", "escaped1": "27", "env/settings.py": "28", "environment.py": "29",
	})
	files, _ := codeOf(t, root)
	want := []string{"data/keep.csv", "env/settings.py", "environment.py", "escaped1", "lib/a.py", "lib/top-only.txt",
		"notes/zeta.md", "run.py", "tmpfile.txt", "wild/a/take"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}
}

func TestCodeLinksAndSockets(t *testing.T) {
	outside := tree(t, map[string]string{"secret": "x"})
	root := tree(t, map[string]string{"real/a.py": "1"})
	check(t, os.Symlink("real/a.py", filepath.Join(root, "inside")))
	check(t, os.Symlink(filepath.Join(root, "real"), filepath.Join(root, "absolute")))
	check(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "leak")))
	check(t, os.Symlink("../../etc/passwd", filepath.Join(root, "real/up")))
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "unix", filepath.Join(root, "socket"))
	check(t, err)
	defer func() { _ = l.Close() }()
	files, told := codeOf(t, root)
	if diff := cmp.Diff([]string{"absolute", "inside", "real/a.py"}, names(files)); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}
	if got := files["app/absolute"].Linkname; got != "real" {
		t.Errorf("absolute link became %q, want it relative", got)
	}
	for _, want := range []string{"leak", "real/up", "socket"} {
		if !strings.Contains(told, "left out "+want) {
			t.Errorf("nothing told of %s: %q", want, told)
		}
	}
}

func TestLargeCodeNamesItsFiles(t *testing.T) {
	root := tree(t, map[string]string{"run.py": "1"})
	big := filepath.Join(root, "model.bin")
	write(t, big, "")
	check(t, os.Truncate(big, 60<<20))
	_, told := codeOf(t, root)
	if !strings.Contains(told, "model.bin (60 MB)") || !strings.Contains(told, ".proaignore") {
		t.Errorf("told %q", told)
	}
}

func TestBadCode(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	for name, root := range map[string]string{
		"missing":     filepath.Join(t.TempDir(), "none"),
		"file":        filepath.Join(tree(t, map[string]string{"f": "x"}), "f"),
		"bad pattern": tree(t, map[string]string{".proaignore": "ok\n[oops\n"}),
	} {
		if _, err := quick(t, oci.Options{}).Build(t.Context(), request(s, root), nil); err == nil {
			t.Errorf("%s: no error", name)
		} else if name == "bad pattern" && !strings.Contains(err.Error(), "line 2") {
			t.Errorf("error doesn't name the line: %v", err)
		}
	}
}
