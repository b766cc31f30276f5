package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"

	"github.com/proa-ml/proa/image/buildkit"
	"github.com/proa-ml/proa/image/driver"
)

// equivalent is the Dockerfile of an image with the same in it as the one that proa is measured with, in the order that suits
// Docker's cache best. The wheels are in no layer.
const equivalent = `FROM %s
COPY requirements.txt /tmp/
RUN --mount=type=bind,source=wheels,target=/wheels PIP_BREAK_SYSTEM_PACKAGES=1 \
    python3 -m pip install --no-cache-dir --no-index --find-links=/wheels --root-user-action=ignore -r /tmp/requirements.txt
COPY proa-step /opt/proa/bin/
COPY sdk /opt/proa/sdk/proa
COPY code /app
`

// dockerBuild is what the builder is compared with: docker build and docker push as their client does them, over the Engine's API.
type dockerBuild struct {
	engine *buildkit.Docker
	// folder is the build's context.
	folder, ref string
}

// newDockerBuild makes a build context of what a request holds; it is nil if there is no Docker Engine to compare with.
func (m *measurement) newDockerBuild(r driver.Request, wheels string) (*dockerBuild, error) {
	host := os.Getenv("PROA_TEST_DOCKER_HOST")
	if host == "" {
		return nil, nil
	}
	d := &dockerBuild{
		engine: buildkit.NewDocker(buildkit.DockerConfig{Host: host, Env: os.Getenv}),
		folder: filepath.Join(m.dir, "docker"), ref: r.Repository + "-docker:bench",
	}
	for name, from := range map[string]string{"wheels": wheels, "sdk": r.Files["/opt/proa/sdk/proa"], "code": r.Code} {
		if err := os.CopyFS(filepath.Join(d.folder, name), os.DirFS(from)); err != nil {
			return nil, fmt.Errorf("making Docker's build context: %w", err)
		}
	}
	launcher, err := os.ReadFile(r.Files["/opt/proa/bin/proa-step"])
	if err != nil {
		return nil, fmt.Errorf("making Docker's build context: %w", err)
	}
	return d, errors.Join(
		os.WriteFile(filepath.Join(d.folder, "proa-step"), launcher, 0o755),
		d.write("Dockerfile", fmt.Sprintf(equivalent, r.Base)))
}

func (d *dockerBuild) write(name, content string) error {
	return os.WriteFile(filepath.Join(d.folder, name), []byte(content), 0o644)
}

// build builds and pushes, and returns how long that took.
func (d *dockerBuild) build(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	conn, err := d.engine.Connect(ctx, quiet{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	files, err := fsutil.NewFS(d.folder)
	if err != nil {
		return 0, fmt.Errorf("opening Docker's build context: %w", err)
	}
	news := make(chan *client.SolveStatus)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := conn.Client().Solve(groupCtx, nil, client.SolveOpt{
			Frontend: "dockerfile.v0", FrontendAttrs: map[string]string{"filename": "Dockerfile"},
			LocalMounts: map[string]fsutil.FS{"context": files, "dockerfile": files},
			Exports:     []client.ExportEntry{conn.Export(d.ref)},
		}, news)
		return err
	})
	group.Go(func() error {
		for range news {
			continue // what it tells has to be taken
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return 0, fmt.Errorf("building with Docker: %w", err)
	}
	nobody := func(context.Context, string) (string, string, error) { return "", "", nil }
	if err := conn.Push(ctx, d.ref, nobody, quiet{}); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// wheels downloads what both builders install from, so that neither is measured by the network.
func (m *measurement) wheels(ctx context.Context, requirements ...string) (string, error) {
	folder := filepath.Join(m.dir, "wheels")
	arguments := append([]string{"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--dest=" + folder}, requirements...)
	cmd := exec.CommandContext(ctx, filepath.Join(m.proa.venv, "bin", "python"), arguments...)
	cmd.Env, cmd.Stdout, cmd.Stderr = m.proa.env, io.Discard, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("downloading the wheels: %w", err)
	}
	return folder, nil
}
