package oci_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

// wheel is a package to put into a folder that uv takes for its index.
type wheel struct {
	name, version string
	requires      []string
	files         map[string]string
	script        string
	tag           string
}

func (w wheel) write(t *testing.T, dir string) {
	t.Helper()
	if w.tag == "" {
		w.tag = "py3-none-any"
	}
	info := w.name + "-" + w.version + ".dist-info/"
	files := map[string]string{
		info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + w.tag + "\n",
	}
	meta := "Metadata-Version: 2.1\nName: " + w.name + "\nVersion: " + w.version + "\n"
	for _, r := range w.requires {
		meta += "Requires-Dist: " + r + "\n"
	}
	files[info+"METADATA"] = meta
	if w.script != "" {
		files[info+"entry_points.txt"] = "[console_scripts]\n" + w.script + "\n"
	}
	for name, content := range w.files {
		files[name] = content
	}
	var names []string
	record := info + "RECORD,,\n"
	for name, content := range files {
		names = append(names, name)
		h := sha256.Sum256([]byte(content))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(h[:]), len(content))
	}
	files[info+"RECORD"] = record
	names = append(names, info+"RECORD")
	slices.Sort(names)
	f, err := os.Create(filepath.Join(dir, w.name+"-"+w.version+"-"+w.tag+".whl"))
	check(t, err)
	z := zip.NewWriter(f)
	for _, name := range names {
		part, err := z.Create(name)
		check(t, err)
		_, err = part.Write([]byte(files[name]))
		check(t, err)
	}
	check(t, z.Close())
	check(t, f.Close())
}

// needUV skips the test where there is no uv.
func needUV(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("uv"); err == nil {
		return
	}
	if exec.CommandContext(t.Context(), "python3", "-m", "uv", "--version").Run() != nil {
		testbed.Missing(t, "no uv on the PATH or in python3: pip install uv")
	}
}

// offline are options whose uv knows only the wheels in dir.
func offline(t *testing.T, dir string) oci.Options {
	t.Helper()
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "UV_") })
	env = append(env, "UV_OFFLINE=1", "UV_FIND_LINKS="+dir, "UV_CACHE_DIR="+t.TempDir(), "UV_NO_CONFIG=1")
	return oci.Options{CacheDir: t.TempDir(), Env: env, LargeWheel: 32 << 10}
}

// noise is text that gzip can't make small.
func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		h := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		b.Write(h[:])
	}
	return b.String()
}
