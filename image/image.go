// Package image is the portable side of image building: names of repositories and tags, and a Builder that checks
// requests before any driver works on them. The builders themselves are in the packages below.
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/image/driver"
)

// maxTag is the longest tag that registries accept.
const maxTag = 128

// Repository returns the repository that proa keeps its images in, within the registry (and, if the URI has one, the
// path) at uri. A scheme and a trailing slash are dropped.
func Repository(uri string) (string, error) {
	rest := strings.TrimSpace(uri)
	for _, scheme := range []string{"https://", "http://", "oci://", "docker://"} {
		rest = strings.TrimPrefix(rest, scheme)
	}
	rest = strings.Trim(rest, "/")
	if rest == "" {
		return "", fmt.Errorf("container registry URI %q has no host: set it to host[:port][/path], such as localhost:5000", uri)
	}
	if strings.ContainsAny(rest, "@ \t") {
		return "", fmt.Errorf("container registry URI must be host[:port][/path], without user, password or spaces: " +
			"give credentials as attributes of the registry")
	}
	return rest + "/proa", nil
}

// Sibling returns the repository of another name beside one that Repository made.
func Sibling(repository, name string) string {
	return strings.TrimSuffix(repository, "proa") + name
}

// Tag turns a pipeline's name, which is any text, into a valid tag. A name that had to be changed carries a hash, so
// that two names never share a tag.
func Tag(pipeline string) string {
	tag := strings.Map(tagRune, pipeline)
	if tag == pipeline && strings.Trim(tag[:min(1, len(tag))], "-.") != "" && len(tag) <= maxTag &&
		!driver.Reserved(tag) {
		return tag
	}
	sum := sha256.Sum256([]byte(pipeline))
	suffix := "-" + hex.EncodeToString(sum[:6])
	tag = strings.Trim(squeeze(tag), "-.")
	if driver.Reserved(tag) || tag == "" {
		tag = "p-" + tag
	}
	if len(tag) > maxTag-len(suffix) {
		tag = tag[:maxTag-len(suffix)]
	}
	return strings.TrimRight(tag, "-.") + suffix
}

func tagRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
		return r
	}
	return '-'
}

func squeeze(s string) string {
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "-")
	}
	return s
}

// Builder checks what it is asked for and hands it to a driver. It is itself a driver.Builder.
type Builder struct {
	driver driver.Builder
}

var (
	_ driver.Builder = (*Builder)(nil)
	_ driver.Checker = (*Builder)(nil)
	_ driver.Puller  = (*Builder)(nil)
	_ driver.Packer  = (*Builder)(nil)
)

// New returns a Builder over d.
func New(d driver.Builder) *Builder { return &Builder{driver: d} }

// Build checks the request and builds it. A nil Progress is silence.
func (b *Builder) Build(ctx context.Context, r driver.Request, p driver.Progress) (driver.Image, error) {
	if r.Platform == "" {
		r.Platform = "linux/amd64"
	}
	if err := check(r); err != nil {
		return driver.Image{}, err
	}
	return b.driver.Build(ctx, r, quiet(p))
}

// Binary pushes an image that holds one static program.
func (b *Builder) Binary(
	ctx context.Context, repository, tag, platform, program string, p driver.Progress,
) (driver.Image, error) {
	if platform == "" {
		platform = "linux/amd64"
	}
	if !known(platform) {
		return driver.Image{}, badPlatform(platform)
	}
	return b.driver.Binary(ctx, repository, tag, platform, program, quiet(p))
}

// Pack packs the code of a request.
func (b *Builder) Pack(ctx context.Context, r driver.Request, p driver.Progress) (driver.Archive, error) {
	packer, ok := b.driver.(driver.Packer)
	if !ok {
		return driver.Archive{}, fmt.Errorf("%w: this image builder can't pack code for the artifact store: "+
			"leave code=store out, or use the image builder flavor oci", driver.ErrInvalid)
	}
	if r.Code == "" {
		return driver.Archive{}, fmt.Errorf("%w: there is no code to pack", driver.ErrInvalid)
	}
	return packer.Pack(ctx, r, quiet(p))
}

// Library returns what can read and remove the images that a builder has pushed.
func Library(b driver.Builder) (driver.Library, error) {
	if wrapped, ok := b.(*Builder); ok {
		b = wrapped.driver
	}
	if library, ok := b.(driver.Library); ok {
		return library, nil
	}
	return nil, fmt.Errorf("%w: this image builder keeps no account of the images it has built", driver.ErrInvalid)
}

// Check says whether images can be pushed to a repository; a driver that can't tell is believed to.
func (b *Builder) Check(ctx context.Context, repository string) error {
	if checker, ok := b.driver.(driver.Checker); ok {
		return checker.Check(ctx, repository)
	}
	return nil
}

// CheckBase says whether a base image can be read; a driver that can't tell is believed to.
func (b *Builder) CheckBase(ctx context.Context, base, repository string) error {
	if checker, ok := b.driver.(driver.BaseChecker); ok {
		return checker.CheckBase(ctx, base, repository)
	}
	return nil
}

// PullConfig returns the credentials with which images can be pulled from a repository, if the driver knows any.
func (b *Builder) PullConfig(ctx context.Context, repository string) (driver.PullConfig, error) {
	if puller, ok := b.driver.(driver.Puller); ok {
		return puller.PullConfig(ctx, repository)
	}
	return driver.PullConfig{}, nil
}

func check(r driver.Request) error {
	if r.Repository == "" || r.Tag == "" {
		return fmt.Errorf("%w: no repository or no tag: does the stack have a container registry?", driver.ErrInvalid)
	}
	if r.Base == "" {
		return fmt.Errorf("%w: no base image: set parent_image", driver.ErrInvalid)
	}
	for one := range strings.SplitSeq(r.Platform, ",") {
		if !known(one) {
			return badPlatform(one)
		}
	}
	if (len(r.Requirements) > 0 || r.Lock != nil) && r.Python == "" {
		return fmt.Errorf("%w: requirements can't be resolved without a Python version", driver.ErrInvalid)
	}
	for _, line := range slices.Concat(r.Requirements, r.Constraints, r.IndexOptions) {
		if strings.ContainsAny(line, "\r\n") {
			return fmt.Errorf("%w: a requirement holds a line break: %q: give one requirement per element", driver.ErrInvalid, line)
		}
	}
	for key := range r.Environment {
		if key == "" || strings.ContainsAny(key, "=\x00") {
			return fmt.Errorf("%w: %q is no name for an environment variable", driver.ErrInvalid, key)
		}
	}
	for path := range r.Files {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%w: file %q has no absolute path in the image", driver.ErrInvalid, path)
		}
	}
	return nil
}

func known(platform string) bool { return platform == "linux/amd64" || platform == "linux/arm64" }

func badPlatform(platform string) error {
	return fmt.Errorf("%w: platform %q: steps run on Linux: use linux/amd64 or linux/arm64", driver.ErrInvalid, platform)
}

type silent struct{}

func (silent) Phase(string)  {}
func (silent) Detail(string) {}
func (silent) Note(string)   {}

func quiet(p driver.Progress) driver.Progress {
	if p == nil {
		return silent{}
	}
	return p
}
