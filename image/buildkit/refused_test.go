package buildkit

import (
	"errors"
	"strings"
	"testing"

	"github.com/proa-ml/proa/image/driver"
)

func TestRefused(t *testing.T) {
	engine := NewDocker(DockerConfig{Host: "unix:///docker.sock"})
	for said, want := range map[string]struct {
		kind error
		text string
	}{
		"unsupported": {driver.ErrRefused, "could not push to team/proa: registry r:5000 is read-only"},
		"failed to push r:5000/team/proa:recipe-1: unsupported":                            {driver.ErrRefused, "could not push to team/proa: registry r:5000 is read-only"},
		"unexpected status from POST request to http://r:5000/v2/: 405 Method Not Allowed": {driver.ErrRefused, "is read-only"},
		"denied: requested access to the resource is denied":                               {driver.ErrRefused, "registry r:5000 does not let us push to team/proa: log in with `docker login r:5000`"},
		"failed to authorize: 401 Unauthorized":                                            {driver.ErrRefused, "does not let us push"},
		"Get \"https://r:5000/v2/\": http: server gave HTTP response to HTTPS client":      {driver.ErrRefused, "insecure-registries"},
		"dial tcp: connection refused":                                                     {driver.ErrUnavailable, "the Docker Engine at unix:///docker.sock can't push r:5000/team/proa:recipe-1"},
	} {
		if err := refused(engine, "r:5000/team/proa:recipe-1", errors.New(said)); !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: got %v", said, err)
		}
	}
}
