package launch

import (
	"context"
	"net/url"
	"os/exec"
	"strings"
)

// revisionAnnotation names the commit in an image's annotations.
const revisionAnnotation = "org.opencontainers.image.revision"

// provenance says where the code of an image is from, as annotations: what git knows of the folder, and which proa built it.
func (l *launch) provenance(ctx context.Context) map[string]string {
	out := map[string]string{"dev.proa.version": l.Version}
	revision, ok := l.git(ctx, "rev-parse", "HEAD")
	if !ok {
		return out
	}
	if changes, ok := l.git(ctx, "status", "--porcelain", "--untracked-files=no"); !ok || changes != "" {
		revision += "-dirty"
	}
	out[revisionAnnotation] = revision
	if origin, ok := l.git(ctx, "config", "--get", "remote.origin.url"); ok {
		if source := public(origin); source != "" {
			out["org.opencontainers.image.source"] = source
		}
	}
	return out
}

// git asks git about the code's folder; it is no error if there is no git, or the folder isn't under it.
func (l *launch) git(ctx context.Context, args ...string) (string, bool) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", l.pipeline.Source.Root}, args...)...)
	cmd.Env = with(l.Environ, "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err == nil
}

// public is a repository's address without credentials; empty if it is a folder of some machine.
func public(origin string) string {
	if host, path, ok := strings.Cut(origin, ":"); ok && !strings.Contains(host, "/") && !strings.HasPrefix(path, "//") {
		_, host, found := strings.Cut(host, "@") // git@host:path
		if !found {
			return ""
		}
		return "https://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User = nil
	return u.String()
}
