package buildkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/tail"
)

// solve lets BuildKit build the recipe.
func (b *Builder) solve(ctx context.Context, conn Connection, rec *recipe, ref string, keys Keys, p driver.Progress) error {
	index, err := b.index()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "proa-dockerfile-")
	if err != nil {
		return fmt.Errorf("making a folder for the Dockerfile: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := os.WriteFile(filepath.Join(temp, "Dockerfile"), []byte(rec.dockerfile), 0o600); err != nil {
		return fmt.Errorf("writing the Dockerfile: %w", err)
	}
	written, err := fsutil.NewFS(temp)
	if err != nil {
		return fmt.Errorf("opening the Dockerfile's folder: %w", err)
	}
	files := rec.context
	if files == nil {
		empty, err := os.MkdirTemp(temp, "context-")
		if err != nil {
			return fmt.Errorf("making an empty build context: %w", err)
		}
		if files, err = fsutil.NewFS(empty); err != nil {
			return fmt.Errorf("opening an empty build context: %w", err)
		}
	}
	options := client.SolveOpt{
		Frontend: "dockerfile.v0", FrontendAttrs: rec.attributes(),
		LocalMounts: map[string]fsutil.FS{"context": files, "dockerfile": written},
		Session: []session.Attachable{
			secretsprovider.FromMap(index.secrets(rec.secrets)), authprovider.NewDockerAuthProvider(conn.Keys(keys).provider()),
		},
		Exports: []client.ExportEntry{conn.Export(ref)},
	}
	if rec.options.Network == "host" {
		options.AllowedEntitlements = []string{entitlements.EntitlementNetworkHost.String()}
	}
	return b.follow(ctx, conn, ref, options, p)
}

// follow runs a build, telling of its course, and explains its failure with what the command printed last.
func (b *Builder) follow(ctx context.Context, conn Connection, ref string, options client.SolveOpt, p driver.Progress) error {
	p.Phase("building the Dockerfile")
	course := course{engine: b.engine, p: p, log: b.log.Debug, told: map[string]bool{}, tails: map[string]*tail.Buffer{}}
	news := make(chan *client.SolveStatus)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, err := conn.Client().Solve(gctx, nil, options, news)
		return err
	})
	g.Go(func() error {
		for status := range news {
			course.take(status)
		}
		return nil
	})
	err := g.Wait()
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	switch {
	case course.failed == "" && gone(err):
		return conn.Lost(ctx, err)
	case strings.HasPrefix(course.name, exporting) && strings.Contains(err.Error(), "push"):
		return refused(b.engine, ref, err)
	}
	return course.explain(err)
}

// exporting is how the name of BuildKit's last instruction begins, of which the push is part.
const exporting = "exporting to "

// gone says that an error isn't the build's but that of the connection to BuildKit.
func gone(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.Canceled
}

// course is what is known of a running build.
type course struct {
	engine Engine
	p      driver.Progress
	log    func(msg string, args ...any)
	told   map[string]bool
	tails  map[string]*tail.Buffer
	failed string
	name   string
}

// take takes news in. BuildKit repeats itself, so each instruction is told of once.
func (c *course) take(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		id := v.Digest.String()
		internal := strings.HasPrefix(v.Name, "[internal]")
		if v.Started != nil && !internal && !c.told[id] {
			c.told[id] = true
			c.p.Detail(firstLine(v.Name))
		}
		if v.Error != "" && c.failed == "" {
			c.failed, c.name = id, v.Name
		}
	}
	for _, l := range s.Logs {
		id := l.Vertex.String()
		if c.tails[id] == nil {
			c.tails[id] = &tail.Buffer{}
		}
		_, _ = c.tails[id].Write(l.Data)
		c.log("build output", "text", string(l.Data))
	}
}

// explain says which instruction failed and what it printed last.
func (c *course) explain(err error) error {
	if c.failed == "" {
		return invalid(err, "the Dockerfile can't be built")
	}
	if strings.Contains(err.Error(), plainHTTP) {
		return invalid(nil, "the Dockerfile can't be built: %s failed: %s: %s", firstLine(c.name), err, notHTTPS(c.engine))
	}
	if t := c.tails[c.failed]; t != nil && t.String() != "" {
		return invalid(nil, "the Dockerfile can't be built: %s failed: %s\n%s", firstLine(c.name), err, t)
	}
	return invalid(err, "the Dockerfile can't be built: %s failed", firstLine(c.name))
}

func firstLine(text string) string {
	first, _, more := strings.Cut(text, "\n")
	if more {
		first += " …"
	}
	return first
}
