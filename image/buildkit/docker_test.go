package buildkit_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/internal/testbed"
)

// engines is where the tests build, from the environment that the test cluster gives.
type engines struct{ docker, registry, base, host string }

func newEngines(t *testing.T) engines {
	t.Helper()
	b := engines{os.Getenv("PROA_TEST_DOCKER_HOST"), os.Getenv("PROA_TEST_REGISTRY"), os.Getenv("PROA_TEST_PARENT_IMAGE"), os.Getenv("PROA_TEST_HOST")}
	if b.docker == "" || b.registry == "" {
		testbed.Missing(t, "no PROA_TEST_DOCKER_HOST or PROA_TEST_REGISTRY to test with: eval \"$(go run ./hack/cluster env)\"")
	}
	return b
}

func (b engines) builder(t *testing.T, docker string, index buildkit.Index) *buildkit.Builder {
	t.Helper()
	registry, err := oci.New(oci.Config{}, &oci.Options{CacheDir: t.TempDir()})
	check(t, err)
	env := func(string) string { return "" }
	builder, err := buildkit.New(buildkit.Config{
		Engine: buildkit.NewDocker(buildkit.DockerConfig{Host: docker, Env: env}), Registry: registry, Index: func() (buildkit.Index, error) { return index, nil },
	}, nil)
	check(t, err)
	return builder
}

func (b engines) request(t *testing.T) driver.Request {
	t.Helper()
	return driver.Request{Repository: fmt.Sprintf("%s/buildkit-%d/proa", b.registry, time.Now().UnixNano()), Tag: "digits", Base: b.base,
		Platform: "linux/amd64", Code: folder(t, map[string]string{"run.py": "print(1)\n"})}
}

// index serves one wheel to pip and one package to apt-get, the wheel to whoever knows the password.
func (b engines) index(t *testing.T, password string) string {
	t.Helper()
	const file = "proa_greeting-1.0-py3-none-any.whl"
	content := wheel(t)
	packages, deb := debian(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, given, _ := r.BasicAuth(); given != password && !strings.HasPrefix(r.URL.Path, "/debian/") {
			w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch strings.Replace(r.URL.Path, "/./", "/", 1) {
		case "/simple/proa-greeting/":
			_, _ = fmt.Fprintf(w, `<a href="/%s">%s</a>`, file, file)
		case "/" + file:
			_, _ = w.Write(content)
		case "/debian/Packages":
			_, _ = w.Write(packages)
		case "/debian/greeting.deb":
			_, _ = w.Write(deb)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(b.host, "0"))
	check(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

func TestDocker(t *testing.T) {
	bed := newEngines(t)
	const password = "canary-5f21c8"
	address := bed.index(t, password)
	index := buildkit.Index{Variables: map[string]string{
		"PIP_INDEX_URL": "http://ada:" + password + "@" + address + "/simple", "PIP_TRUSTED_HOST": bed.host,
	}}
	r := bed.request(t)
	r.Requirements = []string{"proa-greeting==1.0"}
	root := folder(t, map[string]string{
		"Dockerfile": "ARG BASE\nFROM ${BASE} AS built\nARG WHO\nCOPY words/ /srv/words/\nRUN echo hello ${WHO} > /srv/made\n" +
			"COPY debian.list /etc/apt/sources.list.d/\nFROM scratch AS unused\n",
		"debian.list":   "deb [trusted=yes] http://" + address + "/debian/ ./\n",
		".dockerignore": "words/secret*\n",
		"words/a":       "a\n", "words/secret": "no\n",
	})
	r.Recipe = driver.Recipe{Dockerfile: filepath.Join(root, "Dockerfile"), Context: root, Packages: []string{"proa-greeting"}, Options: driver.BuildOptions{
		Args: map[string]string{"BASE": bed.base, "WHO": "Ada"}, Target: "built", Network: "host", Labels: map[string]string{"made": "by-docker"},
	}}
	course := &course{}
	first, err := bed.builder(t, bed.docker, index).Build(t.Context(), r, course)
	check(t, err)
	files, config := contents(t, first.Ref)
	for path, want := range map[string]string{
		"srv/words/a": "a\n", "srv/made": "hello Ada\n", "app/run.py": "print(1)\n",
		"srv/packaged": "hello\n",
	} {
		if got, found := files[path]; !found || got != want {
			t.Errorf("file %s: %q, found %v; want %q", path, got, found, want)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(path string) bool { return strings.HasSuffix(path, "-packages/proa_greeting.py") }) {
		t.Error("the requirement isn't installed")
	}
	if _, found := files["srv/words/secret"]; found {
		t.Error("a file that .dockerignore names is in the image")
	}
	if !strings.Contains(config, `"made":"by-docker"`) || strings.Contains(config, password) {
		t.Errorf("config %s", config)
	}
	for path, content := range files {
		if strings.Contains(content, password) {
			t.Errorf("%s has the index's password in it", path)
		}
	}
	if text := course.text(); !strings.Contains(text, "RUN echo hello") {
		t.Errorf("nothing tells of the build: %s", text)
	}

	nowhere := "unix://" + filepath.Join(t.TempDir(), "docker.sock")
	write(t, filepath.Join(r.Code, "run.py"), "print(2)\n")
	edited, err := bed.builder(t, nowhere, index).Build(t.Context(), r, nil)
	check(t, err)
	if edited.Ref == first.Ref {
		t.Error("an edit of the code made the same image")
	}
	write(t, filepath.Join(root, "words", "a"), "b\n")
	if _, err := bed.builder(t, nowhere, index).Build(t.Context(), r, nil); !errors.Is(err, driver.ErrEngine) ||
		!strings.Contains(err.Error(), "start Docker") {
		t.Errorf("an edit of what the Dockerfile copies, without Docker: %v", err)
	}
	pruned(t, bed.builder(t, nowhere, index), r)
}

// pruned takes the image of a request away, and then what it was built on.
func pruned(t *testing.T, b *buildkit.Builder, r driver.Request) {
	t.Helper()
	unused := func(before time.Time) []string {
		t.Helper()
		tags, err := b.Unused(t.Context(), r.Repository, before)
		check(t, err)
		return tags
	}
	if tags := unused(time.Now()); len(tags) > 0 {
		t.Errorf("%v count as unused while an image is built on them", tags)
	}
	check(t, b.Remove(t.Context(), r.Repository, []string{r.Tag}))
	if tags := unused(time.Now().Add(-time.Hour)); len(tags) != 1 || !strings.HasPrefix(tags[0], driver.EnvironmentTag) {
		t.Errorf("unused are %v, want an environment: what the engine has just made may be about to be used", tags)
	}
	tags := unused(time.Now())
	if len(tags) != 2 || !strings.HasPrefix(tags[0], driver.EnvironmentTag) || !strings.HasPrefix(tags[1], driver.RecipeTag) {
		t.Fatalf("unused are %v, want an environment and what the engine made", tags)
	}
	check(t, b.Remove(t.Context(), r.Repository, tags))
	repository, err := name.NewRepository(r.Repository)
	check(t, err)
	left, err := remote.List(repository, remote.WithContext(t.Context()))
	check(t, err)
	for _, tag := range left {
		if slices.Contains(tags, tag) {
			t.Errorf("the registry still has %s", tag)
		}
	}
}

func TestDockerFailure(t *testing.T) {
	bed := newEngines(t)
	root := folder(t, map[string]string{"Dockerfile": "FROM " + bed.base + "\nRUN echo the disk is made of cheese && exit 3\n"})
	r := bed.request(t)
	r.Recipe = driver.Recipe{Dockerfile: filepath.Join(root, "Dockerfile")}
	_, err := bed.builder(t, bed.docker, buildkit.Index{}).Build(t.Context(), r, nil)
	if !errors.Is(err, driver.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"RUN echo the disk", "exit code: 3", "\nthe disk is made of cheese"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// contents are the files of an image, and its config.
func contents(t *testing.T, ref string) (files map[string]string, config string) {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	check(t, err)
	image, err := remote.Image(parsed, remote.WithContext(t.Context()))
	check(t, err)
	raw, err := image.RawConfigFile()
	check(t, err)
	layers, err := image.Layers()
	check(t, err)
	files = map[string]string{}
	for _, l := range layers {
		body, err := l.Uncompressed()
		check(t, err)
		r := tar.NewReader(body)
		for {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			data, err := io.ReadAll(r)
			check(t, err)
			files[strings.TrimPrefix(h.Name, "./")] = string(data)
		}
		check(t, body.Close())
	}
	return files, string(raw)
}

func wheel(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	const info = "proa_greeting-1.0.dist-info/"
	for _, f := range [][2]string{
		{"proa_greeting.py", "text = 'hello'\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: proa-greeting\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", "proa_greeting.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := z.Create(f[0])
		check(t, err)
		_, err = io.WriteString(w, f[1])
		check(t, err)
	}
	check(t, z.Close())
	return b.Bytes()
}

// debian makes a package with the system's own tool, and the list that apt-get reads.
func debian(t *testing.T) (packages, deb []byte) {
	t.Helper()
	const control = "Package: proa-greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: Ada <ada@example.com>\nDescription: a greeting\n"
	root := folder(t, map[string]string{"DEBIAN/control": control, "srv/packaged": "hello\n"})
	check(t, os.Chmod(filepath.Join(root, "DEBIAN"), 0o755))
	path := filepath.Join(t.TempDir(), "greeting.deb")
	if out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--root-owner-group", "--build", root, path).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	deb, err := os.ReadFile(path)
	check(t, err)
	return fmt.Appendf(nil, "%sFilename: ./greeting.deb\nSize: %d\nSHA256: %x\n", control, len(deb), sha256.Sum256(deb)), deb
}

// course records what a build tells.
type course struct {
	mu    sync.Mutex
	lines []string
}

func (c *course) Phase(name string) { c.Detail(name) }

func (c *course) Detail(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, text)
}

func (c *course) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n")
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		write(t, filepath.Join(root, path), content)
	}
	return root
}

func write(t *testing.T, path, content string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(content), 0o644))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
