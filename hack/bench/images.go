package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/oci"
)

// images measures the builder alone, with proa's own files and one requirement: with every cache empty, after a code edit,
// and with nothing changed.
func (m *measurement) images(ctx context.Context) error {
	sent := &counted{inner: http.DefaultTransport}
	b, err := oci.New(oci.Config{}, &oci.Options{CacheDir: filepath.Join(m.dir, "layers"), Env: m.proa.env, Transport: sent})
	if err != nil {
		return err
	}
	request, err := m.imageRequest()
	if err != nil {
		return err
	}
	build := func() (time.Duration, error) {
		began := time.Now()
		_, err := b.Build(ctx, request, quiet{})
		return time.Since(began), err
	}
	edit := func() (time.Duration, error) {
		line := fmt.Sprintf("EDITED = %s\n", m.fresh())
		if err := os.WriteFile(filepath.Join(request.Code, "run.py"), []byte(line), 0o644); err != nil {
			return 0, err
		}
		return build()
	}
	cold, err := build()
	if err != nil {
		return err
	}
	edited, err := m.median(10, edit)
	if err != nil {
		return err
	}
	unchanged, err := m.median(10, build)
	if err != nil {
		return err
	}
	whole := float64(sent.bytes.Swap(0))
	request.Requirements = append(request.Requirements, "tabulate")
	added, err := build()
	if err != nil {
		return err
	}
	sentMore := sent.bytes.Load()
	if request.Requirements, err = gigabyte(m.dir); err != nil {
		return err
	}
	if _, err = build(); err != nil {
		return err
	}
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	m.rows = append(m.rows,
		seconds("image/cold", cold.Seconds(), 0, "scikit-learn and pandas, resolved, built and pushed", ""),
		seconds("image/warm_edit", edited, cold.Seconds(), "the cold build", "≤ 0.3 s"),
		seconds("image/unchanged", unchanged, cold.Seconds(), "the cold build", ""),
		seconds("image/add_requirement", added.Seconds(), cold.Seconds(), "the cold build", ""),
		row{Name: "image/add_requirement_bytes", Value: float64(sentMore) / 1e6, Unit: "MB", Baseline: whole / 1e6,
			Ratio: float64(sentMore) / whole, Against: "what was uploaded before"},
		row{Name: "image/peak_memory", Value: peak, Unit: "MB", Goal: "≤ 200 MB, with 1 GB of requirements"})
	return nil
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
