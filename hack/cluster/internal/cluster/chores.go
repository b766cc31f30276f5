package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
	"github.com/proa-ml/proa/hack/cluster/internal/s3"
)

// The sandbox image in the registry.
const (
	pauseRepository = "pause"
	pauseTag        = "3"
)

// Where the images of a database server and of a builder of images, both for pods, are in the registry.
const (
	mariadbRepository  = "mariadb"
	buildkitRepository = "buildkit"
)

// chores are what is to be done beside starting servers. Each of them does nothing when it was done before.
func (c *Cluster) chores(f facts, p parts) []task {
	return []task{
		{name: "database", run: func(context.Context) error {
			if _, err := os.Stat(c.state.data("mysql")); err == nil {
				return nil
			}
			return file.CopyTree(p.database, c.state.data("mysql"))
		}},
		{name: "objects", needs: []string{"apiserver"}, run: func(ctx context.Context) error { return c.applyObjects(ctx, f) }},
		{name: "bucket", needs: []string{"s3"}, run: func(ctx context.Context) error {
			client := &http.Client{Timeout: 30 * time.Second}
			return c.s3(f).CreateBucket(ctx, client, bucketName, c.now())
		}},
		{name: "images", needs: []string{"registry"}, run: func(ctx context.Context) error { return c.pushImages(ctx, f, p) }},
	}
}

func (c *Cluster) s3(f facts) s3.Server {
	return s3.Server{Endpoint: "http://" + c.address(f, s3Port), Region: regionName, Key: f.S3Key, Secret: f.S3Secret}
}

// pushImages puts the images into the registry. The Python image is there under two names, for a name without a folder is looked
// for in "library" by some clients.
func (c *Cluster) pushImages(ctx context.Context, f facts, p parts) error {
	registry := c.registry(f)
	if err := registry.Push(ctx, p.pause, pauseRepository, pauseTag); err != nil {
		return err
	}
	if err := registry.Push(ctx, p.mariadb, mariadbRepository, f.MariaDB); err != nil {
		return err
	}
	if err := registry.Push(ctx, p.buildkit, buildkitRepository, f.BuildKit); err != nil {
		return err
	}
	for _, repository := range []string{"python", "library/python"} {
		if err := registry.Push(ctx, p.python, repository, pythonTag(f)); err != nil {
			return err
		}
	}
	return nil
}

// pythonTag is what the official image of the same Python is called: 3.11-slim.
func pythonTag(f facts) string {
	parts := strings.SplitN(f.Python, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".") + "-slim"
}

func (c *Cluster) pythonImage(f facts) string {
	return fmt.Sprintf("%s/python:%s", c.address(f, registryPort), pythonTag(f))
}

func (c *Cluster) mariadbImage(f facts) string {
	return fmt.Sprintf("%s/%s:%s", c.address(f, registryPort), mariadbRepository, f.MariaDB)
}

func (c *Cluster) buildkitImage(f facts) string {
	return fmt.Sprintf("%s/%s:%s", c.address(f, registryPort), buildkitRepository, f.BuildKit)
}

// imageTag tags an image by what it was made from, which the name of its directory in the cache says.
func imageTag(built string) string {
	_, key, _ := strings.Cut(filepath.Base(built), "-")
	return key
}
