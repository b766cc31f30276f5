package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// resolve pins the requirements for the target.
func (j *job) resolve(ctx context.Context, uv, requirements []string) ([]locked, error) {
	j.p.Phase("resolving " + plural(len(requirements), "requirement"))
	file := j.path("requirements.txt")
	if err := os.WriteFile(file, []byte(strings.Join(requirements, "\n")+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("resolving the requirements: %w", err)
	}
	argv := append(slices.Clone(uv), "pip", "compile", file, "--generate-hashes", "--no-header", "--no-annotate")
	out, err := j.command(ctx, j.temp, append(argv, j.target()...)...)
	if err != nil {
		return nil, j.explainUV(err, "resolve")
	}
	return parseLock(out), nil
}

// target are uv's arguments that say what to resolve for.
func (j *job) target() []string {
	args := []string{"--quiet", "--no-progress", "--no-python-downloads", "--only-binary", ":all:",
		"--python-version", j.r.Python, "--python-platform", pythonPlatform(j.r.Platform, j.r.Base)}
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
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") || strings.HasPrefix(fields[0], "-") {
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
		l.name = normal(regexp.MustCompile(`^[A-Za-z0-9._-]+`).FindString(l.pin))
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b locked) int { return strings.Compare(a.name, b.name) })
	return out
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
	if strings.Contains(text, "no usable wheels") || strings.Contains(text, "only-binary") || strings.Contains(text, "source distribution") {
		hint = "images are built without a compiler, so every package needs a wheel: choose versions that have one, " +
			"or a parent_image that holds the package"
	}
	return invalid(nil, "could not %s the requirements for Python %s on %s: %s\n%s", doing, j.r.Python, j.r.Platform, hint, text)
}

// shorten cuts a text that would fill the screen.
func shorten(text string) string {
	const most = 4000
	text = strings.TrimSpace(text)
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
