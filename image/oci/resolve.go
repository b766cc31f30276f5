package oci

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/proa-ml/proa/image/driver"
)

// locked is one package of a resolution.
type locked struct {
	// name is normalised; pin is "name==version" or "name @ url".
	name string
	pin  string
	// hashes are sorted.
	hashes []string
}

func (l locked) line() string {
	var b strings.Builder
	b.WriteString(l.pin)
	for _, h := range l.hashes {
		b.WriteString(" --hash=" + h)
	}
	return b.String()
}

// label is the package and its version, without a path on this machine.
func (l locked) label() string {
	if file := path.Base(l.pin); strings.Contains(l.pin, "/") {
		return file
	}
	return l.pin
}

// resolve pins the requirements for the target.
func (j *job) resolve(ctx context.Context, uv []string) ([]locked, error) {
	j.p.Phase("resolving " + j.wanted.count())
	args, hashes, err := j.sources(ctx, uv, j.wanted)
	if err != nil {
		return nil, err
	}
	argv := slices.Concat(uv, []string{"pip", "compile", "--generate-hashes", "--no-header", "--no-annotate"}, args)
	out, err := j.command(ctx, j.temp, append(argv, j.target()...)...)
	if err != nil && sdistOnly(err) {
		j.builds = true
		j.p.Detail("some packages have no wheel: building wheels of them")
		out, err = j.command(ctx, j.temp, append(argv, j.target()...)...)
	}
	if err != nil {
		return nil, j.explainUV(err, "resolve")
	}
	lock := parseLock(out)
	for i := range lock {
		// uv writes the index's hashes; those that the user gave are the ones to hold on to.
		if own := hashes[lock[i].name]; len(own) > 0 {
			lock[i].hashes = slices.Sorted(slices.Values(own))
		}
	}
	return lock, nil
}

// sdistOnly says that a resolution failed for want of wheels.
func sdistOnly(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no usable wheels") || strings.Contains(text, "building from source is disabled")
}

// target are uv's arguments that say what to resolve for.
func (j *job) target() []string {
	args := []string{"--quiet", "--no-progress", "--no-python-downloads", "--python-version", j.r.Python, "--python-platform", pythonPlatform(j.r.Platform, j.r.Base)}
	if !j.builds {
		args = append(args, "--only-binary", ":all:")
	}
	if j.r.Interpreter != "" {
		args = append(args, "--python", j.r.Interpreter)
	}
	return args
}

// pythonPlatform names the target in uv's words: the glibc of any supported Debian or Red Hat, or musl.
func pythonPlatform(platform, base string) string {
	arch := "x86_64"
	if strings.HasPrefix(platform, "linux/arm64") {
		arch = "aarch64"
	}
	if strings.Contains(base, "alpine") {
		return arch + "-unknown-linux-musl"
	}
	return arch + "-manylinux_2_28"
}

// parseLock reads a requirements file with hashes.
func parseLock(text string) []locked {
	var out []locked
	for _, line := range unfold(text) {
		fields := strings.Fields(line)
		if strings.HasPrefix(fields[0], "-") {
			continue
		}
		var pin []string
		l := locked{}
		for _, f := range fields {
			if h, ok := strings.CutPrefix(f, "--hash="); ok {
				l.hashes = append(l.hashes, h)
				continue
			}
			pin = append(pin, f)
		}
		slices.Sort(l.hashes)
		l.pin = strings.Join(pin, " ")
		l.name = nameOf(l.pin)
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b locked) int { return strings.Compare(a.name, b.name) })
	return out
}

// nameOf is the normalised name of a pinned package; that of a wheel's file begins its name.
func nameOf(pin string) string {
	if strings.HasSuffix(pin, ".whl") && !strings.Contains(pin, " @ ") {
		name, _, _ := strings.Cut(path.Base(pin), "-")
		return normal(name)
	}
	return normal(packageName.FindString(pin))
}

// normal is a package's name as the index compares it.
func normal(name string) string {
	return strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(name, "-"))
}

// explainUV tells apart what is wrong with the requirements from what is wrong with the network.
func (j *job) explainUV(err error, doing string) error {
	var failed *commandError
	if !errors.As(err, &failed) {
		return err
	}
	text := shorten(strings.ReplaceAll(failed.Error(), j.temp+"/", ""))
	if strings.Contains(text, noSpace) {
		return fmt.Errorf("could not %s the requirements: %s", doing, text)
	}
	for _, sign := range []string{"error sending request", "Failed to fetch", "dns error", "timed out", "Connection refused"} {
		if strings.Contains(text, sign) {
			return fmt.Errorf("%w: could not %s the requirements: %s", driver.ErrIndex, doing, text)
		}
	}
	hint := "correct the requirements"
	switch {
	case j.builds && buildFailed.MatchString(text):
		return invalid(nil, "%s has no wheel, and building one failed: %s\n%s", buildFailed.FindStringSubmatch(text)[1], waysOut, text)
	case sdistOnly(failed):
		hint = "some packages have no wheel: " + waysOut
	}
	return invalid(nil, "could not %s the requirements for Python %s on %s: %s\n%s", doing, j.r.Python, j.r.Platform, hint, text)
}

// waysOut is what to do about a package that has no wheel and takes a compiler to build.
const waysOut = "choose a version that has a wheel, build a wheel of it and name that file, take a parent_image that holds it, " +
	"or use an image builder of the flavor docker"

// buildFailed finds the package in uv's words about a build that failed.
var buildFailed = regexp.MustCompile("Failed to build `([^`]+)`")

// shorten cuts a text that would fill the screen.
func shorten(text string) string {
	const most = 4000
	text = strings.TrimSpace(text)
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
