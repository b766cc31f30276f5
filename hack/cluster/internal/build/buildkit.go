package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/proa-ml/proa/hack/cluster/internal/debian"
	"github.com/proa-ml/proa/hack/cluster/internal/oci"
)

// BuildKit makes the image of a builder of images for pods, out of the Go module at source and Debian packages, and returns its
// directory.
func (c Cache) BuildKit(ctx context.Context, source string, apt *debian.Apt) (string, error) {
	sources, err := sourceKey(source)
	if err != nil {
		return "", err
	}
	key := Key(debian.BuildKitRecipe(), sources, runtime.GOARCH)
	return c.make(ctx, "buildkit", key, "BuildKit is compiled, for about a minute on two cores", func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			return fmt.Errorf("making the BuildKit image: %w", err)
		}
		root, err := apt.NewBuildKit(ctx, work)
		if err != nil {
			return err
		}
		command := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
			"-tags=no_containerd_worker", "-o", filepath.Join(root, "usr/bin")+"/", "tool")
		command.Dir = source
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("building BuildKit: %w\n%s", err, output)
		}
		if err := oci.Write(dir, root, buildKitConfig()); err != nil {
			return err
		}
		return os.RemoveAll(work)
	})
}

// buildKitConfig is what the official rootless image says of itself.
func buildKitConfig() oci.Config {
	home := debian.BuildKitHome
	return oci.Config{
		User: debian.BuildKitUser, Entrypoint: []string{"rootlesskit", "buildkitd"},
		Env: []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + home, "USER=user",
			"XDG_RUNTIME_DIR=/run/user/1000", "TMPDIR=" + home + "/.local/tmp"},
	}
}
