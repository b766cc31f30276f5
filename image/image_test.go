package image_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/proa-ml/proa/image"
	"github.com/proa-ml/proa/image/driver"
)

var validTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

func TestTag(t *testing.T) {
	seen := map[string]string{}
	names := []string{
		"digits", "Digits_2.0-rc", "my pipeline", "my-pipeline", "Zahlen-Erkennung für Schüler", "Zahlen Erkennung fur Schuler",
		"", "-x", ".x", "--", "日本語", "env-abc", "Env-abc", "-env-x", strings.Repeat("a", 128), strings.Repeat("a", 129),
		strings.Repeat("a", 200) + "b", strings.Repeat("é ", 100), "a/b:c@d", "x\ny",
	}
	for _, name := range names {
		tag := image.Tag(name)
		if !validTag.MatchString(tag) {
			t.Errorf("Tag(%q) = %q, which is not a valid tag", name, tag)
		}
		if strings.HasPrefix(tag, "env-") {
			t.Errorf("Tag(%q) = %q collides with environments", name, tag)
		}
		if other, ok := seen[tag]; ok {
			t.Errorf("%q and %q share the tag %q", name, other, tag)
		}
		seen[tag] = name
	}
	for _, same := range []string{"digits", "Digits_2.0-rc", strings.Repeat("a", 128)} {
		if got := image.Tag(same); got != same {
			t.Errorf("Tag(%q) = %q, want it unchanged", same, got)
		}
	}
}

func FuzzTag(f *testing.F) {
	f.Add("a pipeline")
	f.Fuzz(func(t *testing.T, name string) {
		if tag := image.Tag(name); !validTag.MatchString(tag) {
			t.Errorf("Tag(%q) = %q", name, tag)
		}
	})
}

func TestRepository(t *testing.T) {
	for uri, want := range map[string]string{
		"localhost:5000":               "localhost:5000/proa",
		"http://10.88.0.1:5000/":       "10.88.0.1:5000/proa",
		"https://registry.example/a/b": "registry.example/a/b/proa",
	} {
		if got, err := image.Repository(uri); err != nil || got != want {
			t.Errorf("Repository(%q) = %q, %v; want %q", uri, got, err, want)
		}
	}
	for _, uri := range []string{"", "http://", "user:secret@host", "a b"} {
		if got, err := image.Repository(uri); err == nil {
			t.Errorf("Repository(%q) = %q, want an error", uri, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("Repository(%q) tells the password: %v", uri, err)
		}
	}
}

type echo struct{ got driver.Request }

func (e *echo) Build(_ context.Context, r driver.Request, p driver.Progress) (driver.Image, error) {
	p.Phase("building")
	e.got = r
	return driver.Image{Ref: "built"}, nil
}

func (e *echo) Binary(_ context.Context, _, _, platform, _ string, p driver.Progress) (driver.Image, error) {
	p.Detail("pushing")
	return driver.Image{Ref: platform}, nil
}

func TestBuilderChecks(t *testing.T) {
	good := driver.Request{Repository: "r/proa", Tag: "t", Base: "python:3.11-slim"}
	d := &echo{}
	b := image.New(d)
	if _, err := b.Build(t.Context(), good, nil); err != nil || d.got.Platform != "linux/amd64" {
		t.Errorf("Build = %v with platform %q", err, d.got.Platform)
	}
	if img, err := b.Binary(t.Context(), "r/proa", "t", "", "/bin/true", nil); err != nil || img.Ref != "linux/amd64" {
		t.Errorf("Binary = %v, %v", img, err)
	}
	for name, spoil := range map[string]func(*driver.Request){
		"no repository": func(r *driver.Request) { r.Repository = "" },
		"no base":       func(r *driver.Request) { r.Base = "" },
		"windows":       func(r *driver.Request) { r.Platform = "windows/amd64" },
		"no python":     func(r *driver.Request) { r.Requirements = []string{"six"} },
		"line break":    func(r *driver.Request) { r.Python = "3.11"; r.Requirements = []string{"six\n--index-url=x"} },
		"variable":      func(r *driver.Request) { r.Environment = map[string]string{"A=B": "c"} },
		"relative file": func(r *driver.Request) { r.Files = map[string]string{"opt/x": "/x"} },
	} {
		r := good
		spoil(&r)
		if _, err := b.Build(t.Context(), r, nil); !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%s: Build = %v, want ErrInvalid", name, err)
		}
	}
}
