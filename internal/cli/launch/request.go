package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/proa-ml/proa/image"
	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
)

// request is what the builder is asked for an image of the plan.
func (l *launch) request(ctx context.Context, i plan.Image, repository string, number int) (imagedriver.Request, error) {
	launchers, err := l.launchers(i)
	if err != nil {
		return imagedriver.Request{}, err
	}
	folder, err := sdk(l.Kit)
	if err != nil {
		return imagedriver.Request{}, err
	}
	root := l.pipeline.Source.Root
	r := imagedriver.Request{
		Repository: repository, Tag: i.Tag, Base: i.Base, Platform: i.Platform,
		Python: i.Python, Interpreter: l.pipeline.Source.Interpreter, Root: root,
		Requirements: i.Requirements, Constraints: i.Constraints, IndexOptions: i.IndexOptions, Lock: i.Lock,
		Installer: i.Installer, InstallerArgs: i.InstallerArgs, Environment: i.Environment, User: i.User,
		Files: map[string]string{"/opt/proa/sdk/proa": filepath.Join(folder, "proa")}, PlatformFiles: launchers,
		Ignore: i.Dockerignore,
		Labels: map[string]string{"dev.proa.pipeline": l.pipeline.Name}, Annotations: l.provenance(ctx),
		Rebuild: i.PreventReuse, Ready: i.SkipBuild,
	}
	if r.Secrets, err = l.buildSecrets(ctx, i.BuildSecrets); err != nil {
		return imagedriver.Request{}, err
	}
	if r.Recipe, err = recipe(i, root); err != nil {
		return imagedriver.Request{}, err
	}
	if i.Code == "" || i.Code == spec.CodeImage {
		r.Code = root
	}
	if i.Repository != "" {
		r.Home, r.Repository = repository, image.Sibling(repository, i.Repository)
	}
	if r.Tag == "" {
		r.Tag = tag(l.pipeline.Name, number)
	}
	return r, nil
}

// launchers finds the launcher for each of an image's platforms: proa-step is for this machine's own, and those for others
// lie beside it, named after them.
func (l *launch) launchers(i plan.Image) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	if i.SkipBuild {
		return out, nil
	}
	for platform := range strings.SplitSeq(i.Platform, ",") {
		path, err := launcher(l.Kit)
		if own := runtime.GOOS + "/" + runtime.GOARCH; err == nil && own != platform {
			path, err = foreignLauncher(path, platform)
		}
		if err != nil {
			return nil, err
		}
		out[platform] = map[string]string{"/opt/proa/bin/proa-step": path}
	}
	return out, nil
}

func foreignLauncher(own, platform string) (string, error) {
	path := own + "-" + strings.ReplaceAll(platform, "/", "-")
	if _, err := os.Stat(path); err != nil {
		system, arch, _ := strings.Cut(platform, "/")
		return "", fault.New(fault.Configuration,
			fmt.Sprintf("in a checkout of proa: CGO_ENABLED=0 GOOS=%s GOARCH=%s go build -o %s ./cmd/proa-step", system, arch, path),
			"the launcher for %s is not beside proa: %s is missing", platform, path)
	}
	return path, nil
}

// buildSecrets finds what variables of the installer's environment refer to in the stack's secrets manager.
func (l *launch) buildSecrets(ctx context.Context, references map[string]string) (map[string]string, error) {
	if len(references) == 0 {
		return nil, nil
	}
	manager, err := l.Opener.Secrets(ctx, l.stack)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(references)) {
		r, ok, err := stack.ParseReference(references[name])
		if err != nil || !ok {
			return nil, fault.New(fault.Configuration, "", "build_secrets: %s is no reference such as {{index.token}}", name)
		}
		values, _, err := manager.Lookup(ctx, r.Secret)
		if err != nil {
			return nil, err
		}
		value, ok := values[r.Key]
		if !ok {
			return nil, fault.New(fault.Configuration, fmt.Sprintf("`proa secret create %s --%s=@-` keeps it", r.Secret, r.Key),
				"build_secrets: the secrets manager %q has no key %q of a secret %q for %s", manager.Name(), r.Key, r.Secret, name)
		}
		found[name] = value
	}
	return found, nil
}

// tag is that of a pipeline's image; its further ones are numbered.
func tag(pipeline string, number int) string {
	if number > 0 {
		pipeline = fmt.Sprintf("%s-%d", pipeline, number+1)
	}
	return image.Tag(pipeline)
}

// recipe is what of an image takes a container engine.
func recipe(i plan.Image, root string) (imagedriver.Recipe, error) {
	r := imagedriver.Recipe{Packages: i.AptPackages}
	if i.Dockerfile != "" {
		r.Dockerfile = under(root, i.Dockerfile)
	}
	if i.BuildContextRoot != "" {
		r.Context = under(root, i.BuildContextRoot)
	}
	if len(i.BuildOptions) == 0 {
		return r, nil
	}
	if r.Dockerfile == "" {
		return r, fault.New(fault.Configuration, "set dockerfile, or leave build_options out", "build_options without a dockerfile have nothing to tune")
	}
	var o struct {
		Args    map[string]string `json:"buildargs"`
		Target  string            `json:"target"`
		Network string            `json:"network_mode"`
		Hosts   map[string]string `json:"extra_hosts"`
		Labels  map[string]string `json:"labels"`
		Pull    bool              `json:"pull"`
		NoCache bool              `json:"nocache"`
	}
	data, err := json.Marshal(i.BuildOptions)
	if err == nil {
		err = strict.JSON(data, &o)
	}
	if err != nil {
		return r, fault.New(fault.Configuration, "they are the names that Docker's Python library has", "build_options: %w", err)
	}
	r.Options = imagedriver.BuildOptions{Args: o.Args, Target: o.Target, Network: o.Network, Hosts: o.Hosts, Labels: o.Labels, Pull: o.Pull, NoCache: o.NoCache}
	return r, nil
}

func under(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}
