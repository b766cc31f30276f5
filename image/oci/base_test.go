package oci_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

func TestBaseIndex(t *testing.T) {
	s := newServer(t)
	index := mutate.AppendManifests(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		img := pushBase(t, s.host+"/library/python:"+arch, "linux/"+arch)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	ref, err := name.ParseReference(s.host + "/library/python:both")
	check(t, err)
	check(t, remote.WriteIndex(ref, index))
	r := request(s, tree(t, map[string]string{"run.py": "x"}))
	r.Base = s.host + "/library/python:both"
	b := quick(t, oci.Options{})
	for _, arch := range []string{"amd64", "arm64"} {
		r.Platform = "linux/" + arch
		got, err := b.Build(t.Context(), r, nil)
		check(t, err)
		img := pull(t, got.Ref)
		check(t, validate.Image(img))
		if config, err := img.ConfigFile(); err != nil || config.Architecture != arch {
			t.Errorf("%s: config = %+v, %v", arch, config, err)
		}
	}
	r.Platform = "linux/riscv64"
	_, err = b.Build(t.Context(), r, nil)
	if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "linux/amd64, linux/arm64") {
		t.Errorf("Build = %v, want the platforms there are", err)
	}
}

func TestBaseRegistryAway(t *testing.T) {
	from, to := newServer(t), newServer(t)
	pushBase(t, from.host+"/library/python:3-slim", "linux/amd64")
	code := tree(t, map[string]string{"run.py": "1"})
	r := request(to, code)
	r.Base = from.host + "/library/python:3-slim"
	o := oci.Options{CacheDir: t.TempDir()}
	first, err := quick(t, o).Build(t.Context(), r, nil)
	check(t, err)

	from.setFault(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	write(t, filepath.Join(code, "run.py"), "2")
	rec := &recorder{}
	edited, err := quick(t, o).Build(t.Context(), r, rec)
	check(t, err)
	if edited.Key != first.Key || !edited.Reused || !strings.Contains(rec.text(), from.host+" is away") {
		t.Errorf("Build = %v, told %q", edited, rec.text())
	}
	for what, o := range map[string]oci.Options{"unknown base": {}, "unknown environment": o} {
		r.Environment = map[string]string{"A": "b"}
		_, err = quick(t, o).Build(t.Context(), r, nil)
		if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), from.host) {
			t.Errorf("%s: Build = %v, want ErrUnavailable naming %s", what, err, from.host)
		}
	}
}

func TestCancelEndsUV(t *testing.T) {
	s := newServer(t)
	pushBase(t, s.host+"/library/python:3-slim", "linux/amd64")
	dir := t.TempDir()
	uv, started := filepath.Join(dir, "uv"), filepath.Join(dir, "started")
	write(t, uv, "#!/bin/sh\nsleep 1000 &\necho $! >'"+started+".new'\nmv '"+started+".new' '"+started+"'\nwait\n")
	check(t, os.Chmod(uv, 0o755))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	r := request(s, "")
	r.Requirements, r.Python = []string{"six"}, "3.11"
	_, err := quick(t, oci.Options{UV: []string{uv}}).Build(ctx, r, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Build = %v, want cancelled", err)
	}
	data, err := os.ReadFile(started)
	check(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	check(t, err)
	gone := func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ") || syscall.Kill(pid, 0) != nil
	}
	for deadline := time.Now().Add(10 * time.Second); !gone(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what uv started outlives the build")
		}
	}
}
