package launcher

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

// config is what the environment tells a launcher.
type config struct {
	attemptName string
	runID       string
	coordinator string
	workRoot    string
	// host tells this machine or pod from others.
	host   string
	access step.Access
	// client reaches the coordinator; nil if there is none.
	client *http.Client
	// pod is the name of a pod that takes one attempt after the other; empty for any other.
	pod string
	// scratch are the folders that the pod has to itself.
	scratch []string
	// parent closes when the coordinator is gone; nil if nothing tells.
	parent *os.File
	// forker forks runners; nil means that each is started.
	forker forks.Forker
	// environ is what of the environment goes on to the runner.
	environ []string
}

// own is the prefix of the names of proa's own variables, which the step doesn't see but for step.SiteEnv.
const own = "PROA_"

// parse reads the environment and the access file.
func parse(environ []string) (config, error) {
	vars := map[string]string{}
	c := config{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
		if !strings.HasPrefix(name, own) || name == step.SiteEnv {
			c.environ = append(c.environ, entry)
		}
	}
	for _, name := range []string{step.AttemptEnv, step.RunEnv, step.AccessEnv} {
		if vars[name] == "" {
			return config{}, fmt.Errorf("%s isn't set; proa-step is started by an orchestrator, not by hand", name)
		}
	}
	c.attemptName, c.runID, c.coordinator = vars[step.AttemptEnv], vars[step.RunEnv], vars[step.CoordinatorEnv]
	c.pod, c.scratch = vars[step.PodEnv], filepath.SplitList(vars[step.ScratchEnv])
	c.host, _ = os.Hostname() // without it a claim still has a time
	c.workRoot = firstOf(vars[step.WorkEnv], vars["TMPDIR"], "/tmp")
	if err := c.readAccess(vars[step.AccessEnv]); err != nil {
		return config{}, err
	}
	var err error
	if c.client, err = openClient(c); err != nil {
		return config{}, err
	}
	if c.parent, err = inherited(vars, step.ParentEnv); err != nil {
		return config{}, err
	}
	socket, err := inherited(vars, step.ForksEnv)
	if socket != nil {
		c.forker = forks.NewClient(socket)
	}
	return c, err
}

func (c *config) readAccess(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the access to the artifact store: %w", err)
	}
	// The text of a decoding error could hold a part of the file, which is secret.
	if json.Unmarshal(data, &c.access) != nil {
		return fmt.Errorf("reading the access to the artifact store: %s isn't the JSON that is expected there", path)
	}
	if c.access.APIVersion != spec.APIVersion {
		return fmt.Errorf("%s has the version %q, but this proa-step knows only %q; launcher and coordinator must be of one release", path, c.access.APIVersion, spec.APIVersion)
	}
	return nil
}

// inherited returns the inherited file whose number a variable holds; nil if it isn't set.
func inherited(vars map[string]string, name string) (*os.File, error) {
	text := vars[name]
	if text == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s is %q, not the number of an inherited file descriptor", name, text)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
