package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

// images measures the builder alone, with proa's own files and two requirements: with every cache empty, after a code edit, with
// nothing changed, and with a requirement more. Docker does the same beside it, in turn. Both install from a folder of wheels.
func (m *measurement) images(ctx context.Context) error {
	sent := &counted{inner: http.DefaultTransport}
	b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: filepath.Join(m.dir, "layers"), Env: m.proa.env, Transport: sent})
	if err != nil {
		return err
	}
	const more = "tabulate"
	request, err := m.imageRequest()
	if err != nil {
		return err
	}
	peak, err := m.buildLarge(ctx, request)
	if err != nil {
		return err
	}
	wheels, err := m.wheels(ctx, append(request.Requirements, more)...)
	if err != nil {
		return err
	}
	request.IndexOptions = []string{"--no-index", "--find-links " + wheels}
	docker, err := m.newDockerBuild(request, wheels)
	if err != nil {
		return err
	}
	pair := &imagePair{measurement: m, oci: b, request: request, docker: docker}
	if err := pair.row(ctx, "image/cold", "", 1, pair.require(request.Requirements...)); err != nil {
		return err
	}
	if err := pair.row(ctx, "image/warm_edit", "≤ 0.3 s", m.rounds, pair.edit); err != nil {
		return err
	}
	if err := pair.row(ctx, "image/unchanged", "", m.rounds, func() error { return nil }); err != nil {
		return err
	}
	whole := float64(sent.bytes.Swap(0))
	if err := pair.row(ctx, "image/add_requirement", "", 1, pair.require(append(request.Requirements, more)...)); err != nil {
		return err
	}
	m.rows = append(m.rows,
		row{Name: "image/add_requirement_bytes", Value: float64(sent.bytes.Load()) / 1e6, Unit: "MB", Baseline: whole / 1e6,
			Ratio: float64(sent.bytes.Load()) / whole, Against: "what was uploaded before"},
		row{Name: "image/peak_memory", Value: peak, Unit: "MB", Goal: "≤ 200 MB, with 1 GB of requirements"})
	return nil
}

// buildLarge builds an image with 1 GB of requirements, with a cache and a repository of its own, and returns how much memory that
// took. It goes before all that Docker's client does in this process.
func (m *measurement) buildLarge(ctx context.Context, request driver.Request) (float64, error) {
	b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: filepath.Join(m.dir, "large"), Env: m.proa.env})
	if err != nil {
		return 0, err
	}
	request.Repository += "-large"
	if request.Requirements, err = gigabyte(m.dir); err != nil {
		return 0, err
	}
	if _, err := b.Build(ctx, request, quiet{}); err != nil {
		return 0, err
	}
	return peakMemory()
}

// imagePair is an image as proa builds it, and as Docker does; docker is nil where there is none.
type imagePair struct {
	*measurement
	oci     *oci.Builder
	request driver.Request
	docker  *dockerBuild
}

// row measures both after a change of what goes into the image.
func (p *imagePair) row(ctx context.Context, name, goal string, rounds int, change func() error) error {
	var own, theirs []time.Duration
	for range rounds {
		if err := change(); err != nil {
			return err
		}
		began := time.Now()
		if _, err := p.oci.Build(ctx, p.request, quiet{}); err != nil {
			return err
		}
		own = append(own, time.Since(began))
		if p.docker == nil {
			continue
		}
		took, err := p.docker.build(ctx)
		if err != nil {
			return err
		}
		theirs = append(theirs, took)
	}
	slices.Sort(own)
	slices.Sort(theirs)
	baseline, against := 0.0, ""
	if len(theirs) > 0 {
		baseline, against = theirs[len(theirs)/2].Seconds(), "`docker build` and `docker push` of a Dockerfile for the same"
	}
	p.rows = append(p.rows, seconds(name, own[len(own)/2].Seconds(), baseline, against, goal))
	return nil
}

// edit changes a line of the code.
func (p *imagePair) edit() error {
	line := []byte(fmt.Sprintf("EDITED = %s\n", p.fresh()))
	if err := os.WriteFile(filepath.Join(p.request.Code, "run.py"), line, 0o644); err != nil || p.docker == nil {
		return err
	}
	return p.docker.write("code/run.py", string(line))
}

// require changes the requirements. Docker's cache may have met them before, so it is told something new each time.
func (p *imagePair) require(requirements ...string) func() error {
	return func() error {
		p.request.Requirements = requirements
		if p.docker == nil {
			return nil
		}
		return p.docker.write("requirements.txt", fmt.Sprintf("%s\n# %d\n", strings.Join(requirements, "\n"), time.Now().UnixNano()))
	}
}

// counted counts the bytes that requests carry.
type counted struct {
	inner http.RoundTripper
	bytes atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.bytes.Add(max(r.ContentLength, 0))
	return c.inner.RoundTrip(r)
}

// peakMemory is the most memory, in MB, that this process, which builds in itself, has had; what uv has is its own.
func peakMemory() (float64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("asking for the memory that was used: %w", err)
	}
	return float64(usage.Maxrss) / 1e3, nil
}

func (m *measurement) imageRequest() (driver.Request, error) {
	code := filepath.Join(m.dir, "code")
	if err := os.MkdirAll(code, 0o755); err != nil {
		return driver.Request{}, err
	}
	if err := os.WriteFile(filepath.Join(code, "run.py"), []byte("EDITED = 0\n"), 0o644); err != nil {
		return driver.Request{}, err
	}
	launcher, err := filepath.Abs("bin/proa-step")
	if err != nil {
		return driver.Request{}, err
	}
	sdk, err := filepath.Abs("python/proa")
	if err != nil {
		return driver.Request{}, err
	}
	return driver.Request{
		Repository: os.Getenv("PROA_TEST_REGISTRY") + "/" + m.proa.database, Tag: "bench",
		Base: os.Getenv("PROA_TEST_PARENT_IMAGE"), Platform: "linux/amd64",
		Python: "3.11", Interpreter: filepath.Join(m.proa.venv, "bin", "python"),
		Requirements: []string{"pandas", "scikit-learn"},
		Files:        map[string]string{"/opt/proa/bin/proa-step": launcher, "/opt/proa/sdk/proa": sdk},
		Code:         code,
	}, nil
}

// quiet is a progress that nobody reads.
type quiet struct{}

func (quiet) Phase(string)  {}
func (quiet) Detail(string) {}
