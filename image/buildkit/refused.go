package buildkit

import (
	"fmt"
	"strings"

	"github.com/proa-ml/proa/image/driver"
)

// plainHTTP is what Go's client says of a server that doesn't speak TLS.
const plainHTTP = "HTTP response to HTTPS client"

// notHTTPS explains an engine's error about such a registry.
func notHTTPS(engine Engine) string {
	return "the engine takes the registry for one that speaks HTTPS: " + engine.PlainHTTP()
}

// refused explains a push that failed. An engine passes on what the registry said as a text.
func refused(engine Engine, ref string, err error) error {
	text := strings.ToLower(err.Error())
	has := func(signs ...string) bool {
		for _, sign := range signs {
			if strings.Contains(text, sign) {
				return true
			}
		}
		return false
	}
	registry := host(ref)
	repository, _, _ := strings.Cut(strings.TrimPrefix(ref, registry+"/"), ":")
	answer := fmt.Sprintf("%s: %s", engine, firstLine(err.Error()))
	switch {
	case has(strings.ToLower(plainHTTP)):
		return fmt.Errorf("%w: %s can't push %s: %w: %s", driver.ErrRefused, engine, ref, err, notHTTPS(engine))
	case has("405 method not allowed", "operation is unsupported"), strings.HasSuffix(text, "unsupported"): // the last is the error's code
		return driver.ReadOnly(registry, "push to", repository, answer)
	case has("denied", "unauthorized", "forbidden", "no basic auth", "insufficient_scope", "authorization failed"):
		return driver.Denied(registry, "push to", repository, answer)
	}
	return fmt.Errorf("%w: %s can't push %s: %w", driver.ErrUnavailable, engine, ref, err)
}
