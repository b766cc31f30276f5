package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/strict"
)

var (
	userPattern       = regexp.MustCompile(`^[0-9]+(:[0-9]+)?$`)
	tagPattern        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	referencePattern  = regexp.MustCompile(`^\{\{\s*[^{}\s.]+\.[^{}\s]+\s*\}\}$`)
	variablePattern   = regexp.MustCompile(`^\$\{[A-Z0-9_]+\}$`)
	// userInfo is what stands before the host of a URL.
	userInfo = regexp.MustCompile(`([a-z+]+)://([^/\s@]+)@([^/\s]+)`)
)

// validate checks what can be checked of Docker settings without a stack.
func (d *Docker) validate(owner string) error {
	if d == nil {
		return nil
	}
	var errs []error
	add := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("docker settings of %s: "+format, append([]any{owner}, args...)...))
	}
	d.validateWords(add)
	for _, line := range slices.Concat(d.IndexOptions, d.InstallerArgs, d.Requirements, d.Constraints) {
		if host := literalPassword(line); host != "" {
			add("the URL of %s holds a password: write ${NAME} in its place, and set that variable or build_secrets", host)
		}
	}
	for _, name := range sortedNames(d.BuildSecrets) {
		if !referencePattern.MatchString(d.BuildSecrets[name]) {
			add("build_secrets: %s must be a reference to a secret, as in {{index.token}}", name)
		}
	}
	if l := d.Lock; l != nil && !digestPattern.MatchString(l.Digest) {
		add("lock: the digest of %s is not of the form sha256:<64 hex digits>", l.Path)
	}
	return errors.Join(errs...)
}

func (d *Docker) validateWords(add adder) {
	oneOf := func(field, value string, known ...string) {
		if value == "" || slices.Contains(known, value) {
			return
		}
		hint := ""
		if near := strict.Nearest(value, known); near != "" {
			hint = fmt.Sprintf(": did you mean %q?", near)
		}
		add("%s is %q, not one of %s%s", field, value, strings.Join(known, ", "), hint)
	}
	matches := func(field, value string, pattern *regexp.Regexp, want string) {
		if value != "" && !pattern.MatchString(value) {
			add("%s is %q; it must be %s", field, value, want)
		}
	}
	oneOf("code", d.Code, CodeImage, CodeStore, CodeNone)
	oneOf("python_package_installer", d.Installer, "uv", "pip")
	matches("user", d.User, userPattern, `numeric, such as "1000" or "1000:1000", because a cluster can't tell whether a name is root's`)
	matches("image_tag", d.ImageTag, tagPattern, "letters, digits, dots, dashes and underscores, at most 128")
	matches("target_repository", d.TargetRepository, repositoryPattern, "lower-case names with slashes between")
	for one := range strings.SplitSeq(d.Platform, ",") {
		oneOf("platform", one, "linux/amd64", "linux/arm64")
	}
}

// literalPassword returns the host of a URL that holds a password, or a token in a user's place, as it is.
func literalPassword(line string) string {
	for _, m := range userInfo.FindAllStringSubmatch(line, -1) {
		user, password, both := strings.Cut(m[2], ":")
		switch {
		case both && !variablePattern.MatchString(password),
			!both && strings.HasPrefix(m[1], "http") && !variablePattern.MatchString(user):
			return m[3]
		}
	}
	return ""
}
