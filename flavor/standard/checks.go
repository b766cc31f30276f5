package standard

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/stack"
)

func absolute(value string) error {
	if !filepath.IsAbs(value) {
		return errors.New("it must be an absolute path")
	}
	return nil
}

func mode(value string) error {
	switch value {
	case "stop-on-failure", "fail-fast", "continue-on-failure":
		return nil
	}
	return errors.New("it must be stop-on-failure, fail-fast or continue-on-failure")
}

// oneOf accepts the given values only.
func oneOf(values ...string) func(string) error {
	return func(value string) error {
		if slices.Contains(values, value) {
			return nil
		}
		return fmt.Errorf("it must be %s", strings.Join(values, " or "))
	}
}

func positive(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 {
		return errors.New("it must be at least 1")
	}
	return nil
}

func port(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 65535 {
		return errors.New("it must be between 1 and 65535")
	}
	return nil
}

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func dnsLabel(value string) error {
	if !label.MatchString(value) {
		return errors.New("it must be lower-case letters, digits and dashes, at most 63 of them")
	}
	return nil
}

var subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

func dnsName(value string) error {
	if len(value) > 253 || !subdomain.MatchString(value) {
		return errors.New("it must be lower-case letters, digits, dashes and dots")
	}
	return nil
}

func httpURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("it must be an http:// or https:// URL")
	}
	if u.User != nil {
		return errors.New("it must not hold credentials")
	}
	return nil
}

func platform(value string) error {
	if value != "linux/amd64" && value != "linux/arm64" {
		return errors.New("it must be linux/amd64 or linux/arm64")
	}
	return nil
}

func pem(value string) error {
	if !strings.Contains(value, "-----BEGIN ") {
		return errors.New("it must be PEM, not a path (@PATH reads a file)")
	}
	return nil
}

func checkS3(s flavor.Settings) error {
	if (s["key"] == "") != (s["secret"] == "") {
		return stack.Mistake("give both --key and --secret, or neither for ambient credentials", "one of the attributes \"key\" and \"secret\" is missing")
	}
	if s["key"] != "" && s["profile"] != "" {
		return stack.Mistake("give only one of them", "the attributes \"key\" and \"profile\" exclude each other")
	}
	return nil
}

func checkMySQL(s flavor.Settings) error {
	if s["username"] == "" && s["secret"] == "" {
		return stack.Mistake("add --username=proa, or --secret=NAME of a secret with the keys user and password", "the attribute \"username\" is missing")
	}
	if (s["ssl_cert"] == "") != (s["ssl_key"] == "") {
		return stack.Mistake("give both --ssl_cert and --ssl_key, or neither", "one of the attributes \"ssl_cert\" and \"ssl_key\" is missing")
	}
	return nil
}

// localAddress returns an address if its host is this machine itself; it is empty for any other.
func localAddress(host, address string) string {
	ip := net.ParseIP(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && (ip.IsLoopback() || ip.IsUnspecified())) {
		return address
	}
	return ""
}

func localURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return localAddress(u.Hostname(), u.Host)
}

// verifyContext checks that the kubeconfig has the orchestrator's context, and warns if kubectl would use another one.
func verifyContext(contexts Contexts) func(string, flavor.Settings) ([]string, error) {
	return func(name string, s flavor.Settings) ([]string, error) {
		if s.Bool(flavor.InCluster) {
			return nil, nil
		}
		wanted := s["kubernetes_context"]
		active, err := contexts.find(stack.Orchestrator, name, wanted)
		switch {
		case err != nil || active == wanted:
			return nil, err
		case active == "":
			return []string{fmt.Sprintf("kubectl has no active Kubernetes context. Runs go to %q of the orchestrator %q; to have kubectl look there, too: `kubectl config use-context %[1]s`", wanted, name)}, nil
		}
		return []string{fmt.Sprintf(
			"the Kubernetes context %q of the orchestrator %q is not kubectl's active one, %q. Runs go to %[1]q. To make them the same: `proa orchestrator update %[2]s --kubernetes_context=%[3]s` or `kubectl config use-context %[1]s`",
			wanted, name, active)}, nil
	}
}

// find checks that the kubeconfig has the context that a component names, and returns the active one.
func (contexts Contexts) find(kind stack.Kind, name, wanted string) (active string, err error) {
	files, known, active, err := contexts()
	var missing *kubeconfig.MissingError
	switch {
	case errors.As(err, &missing):
		return "", stack.Mistake(kubeconfig.Obtain, "the %s %q uses the Kubernetes context %q, but %v", kind.Words(), name, wanted, err)
	case err != nil:
		return "", stack.Mistake("correct the file; `kubectl config get-contexts` reads it, too", "%s %q: %v", kind.Words(), name, err)
	case !slices.Contains(known, wanted):
		return "", unknownContext(kind, name, wanted, files, known)
	}
	return active, nil
}

func unknownContext(kind stack.Kind, name, wanted, files string, known []string) error {
	list := "it has none"
	if len(known) > 0 {
		list = "it has: " + strings.Join(known, ", ")
	}
	hint := fmt.Sprintf("check that the cluster runs and that KUBECONFIG is right (`kubectl config get-contexts`), then `proa %s update %s --kubernetes_context=CONTEXT`", kind, name)
	if near := strict.Nearest(wanted, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? Otherwise %s", near, hint)
	}
	return stack.Mistake(hint, "the kubeconfig %s has no context %q, which the %s %q names; %s", files, wanted, kind.Words(), name, list)
}
