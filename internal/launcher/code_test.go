package launcher_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proa-ml/proa/step"
)

// archive packs entries as a code archive; one whose name ends in "/" is a folder, and "->" in the content makes a link.
func archive(t *testing.T, entries ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	w := tar.NewWriter(packed)
	for _, e := range entries {
		h := &tar.Header{Name: e[0], Mode: 0o755, Typeflag: tar.TypeReg, Size: int64(len(e[1]))}
		if target, ok := strings.CutPrefix(e[1], "->"); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, target, 0
		} else if strings.HasSuffix(e[0], "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(e[1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// keep puts code into the store under the digest of what data it should be.
func (b *bench) keep(t *testing.T, data, of []byte) string {
	t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(of))
	if err := b.store.Put(t.Context(), step.CodeKey(digest), data); err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestCodeFromTheStore(t *testing.T) {
	b := newBench(t)
	data := archive(t, [2]string{"app/", ""}, [2]string{"app/run.sh", "echo ran"}, [2]string{"app/deep/ü.txt", "text"}, [2]string{"app/link", "->deep/ü.txt"})
	inv := shell(b.invocation(), `sh ./run.sh; cat link; test -x run.sh; echo " $(basename $PWD) ${PYTHONPATH#$PWD}"; exit 3`)
	inv.Code, inv.Env = b.keep(t, data, data), map[string]string{"PYTHONPATH": "/app:/sdk"}
	inv.Dir = "/no/such/folder"
	code, o, l := b.finish(inv)
	if code != 3 || l.stdout.String() != "ran\ntext app :/app:/sdk\n" {
		t.Errorf("exit code %d, stdout %q, failure %+v", code, l.stdout.String(), o.Failure)
	}
	if left, _ := os.ReadDir(b.work); len(left) > 0 {
		t.Errorf("left in the work folder: %v", left)
	}
}

func TestCodeThatCannotBeRun(t *testing.T) {
	good := archive(t, [2]string{"app/x", "1"})
	for name, c := range map[string]struct {
		data, of []byte
		want     string
	}{
		"another digest": {archive(t, [2]string{"app/x", "2"}), good, "has the digest"},
		"cut off":        {good[:len(good)/2], good[:len(good)/2], "fetching the step's code"},
		"no archive":     {[]byte("text"), []byte("text"), "fetching the step's code"},
		"out of root":    {archive(t, [2]string{"../x", "1"}), nil, "unpacking ../x"},
		"through a link": {archive(t, [2]string{"app/out", "->../../.."}, [2]string{"app/out/x", "1"}), nil, "unpacking app/out/x"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			of := c.of
			if of == nil {
				of = c.data
			}
			inv := shell(b.invocation(), "echo ran")
			inv.Code = b.keep(t, c.data, of)
			code, o, l := b.finish(inv)
			if code != step.ExitStore || o.Failure == nil || o.Failure.Kind != step.FailureConfig || !strings.Contains(o.Failure.Message, c.want) {
				t.Errorf("exit code %d, failure %+v, want %q", code, o.Failure, c.want)
			}
			if strings.Contains(l.stdout.String(), "ran") {
				t.Error("it ran all the same")
			}
			if found, _ := filepath.Glob(filepath.Join(b.work, "..", "x")); len(found) > 0 {
				t.Error("a file was written outside of the code's folder")
			}
		})
	}
	b := newBench(t)
	inv := b.invocation()
	inv.Code = "sha256:" + strings.Repeat("0", 64)
	if code, o, _ := b.finish(inv); code != step.ExitStore || o.Failure == nil || !strings.Contains(o.Failure.Message, "code is gone") {
		t.Errorf("missing code: exit code %d, outcome %+v", code, o)
	}
}
