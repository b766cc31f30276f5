package launch

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

// mostSecrets is how much the secrets of one run may be together, in bytes: they travel in one object of the cluster.
const mostSecrets = 512 << 10

// stepSecrets reads the secrets that the steps of a plan are given.
func stepSecrets(ctx context.Context, k *kit.Kit, s stack.Resolved, p *plan.Plan) (map[string]map[string]string, error) {
	users := map[string]string{}
	for _, st := range p.Steps {
		for _, name := range st.Secrets {
			if users[name] == "" {
				users[name] = st.Name
			}
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	manager, err := k.Opener.Secrets(ctx, s)
	if err != nil {
		return nil, err
	}
	found, size := map[string]map[string]string{}, 0
	for _, name := range slices.Sorted(maps.Keys(users)) {
		values, err := manager.Get(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", users[name], err)
		}
		for _, value := range values {
			size += len(value)
		}
		found[name] = values
	}
	if size > mostSecrets {
		return nil, stack.Mistake("keep large files in the artifact store or in the image", "the secrets of the run's steps are too large: %d bytes, of at most %d", size, mostSecrets)
	}
	for _, st := range p.Steps {
		if err := clash(st, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// clash refuses two secrets of a step that would be one environment variable.
func clash(st plan.Step, found map[string]map[string]string) error {
	from := map[string]string{}
	for _, name := range st.Secrets {
		for _, key := range slices.Sorted(maps.Keys(found[name])) {
			if !step.SecretVariable(key) {
				continue
			}
			if other := from[key]; other != "" {
				return stack.Mistake(fmt.Sprintf("give one of the keys another name (`proa secret update %s --NEW=... --remove=%s`), or the step only one of the secrets", name, key),
					"step %q: the secrets %q and %q have the same key %q, and each key is an environment variable of the step", st.Name, other, name, key)
			}
			from[key] = name
		}
	}
	return nil
}
