package kit

import (
	"context"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/stack"
)

// WarnOfSecrets tells what a stack's secrets manager lacks of what its components refer to. ask is the stack whose
// `register-secrets` asks for it; empty if none does.
func (k *Kit) WarnOfSecrets(ctx context.Context, s stack.Resolved, ask string) {
	uses := k.Catalogue.Uses(s)
	if len(uses) == 0 {
		return
	}
	var missing []flavor.Use
	manager, err := k.Opener.Secrets(ctx, s)
	if err == nil {
		missing, err = flavor.Missing(ctx, manager, uses)
	}
	if err == nil && len(missing) > 0 {
		err = flavor.Lacking(ask, manager.Name(), missing)
	}
	if err != nil {
		k.warnOf(err)
	}
}

// WarnOfSecretsOf tells the same of one component, for each stack that uses it; one that none uses is taken to be meant for
// the active one.
func (k *Kit) WarnOfSecretsOf(ctx context.Context, c stack.Component) {
	alone := stack.Resolved{Components: map[stack.Kind]stack.Component{c.Kind: c}}
	config, active, err := k.Load()
	if err != nil || len(k.Catalogue.Uses(alone)) == 0 {
		return
	}
	stacks, ask := config.Users(c.Kind, c.Name), true
	if len(stacks) == 0 {
		stacks, ask = []string{active.Name}, false
	}
	told := map[string]bool{}
	for _, name := range stacks {
		r, err := config.Resolve(name)
		if manager := r.Components[stack.SecretsManager]; err != nil || told[manager.Name] {
			continue
		}
		told[r.Components[stack.SecretsManager].Name] = true
		r.Components = map[stack.Kind]stack.Component{c.Kind: c, stack.SecretsManager: r.Components[stack.SecretsManager]}
		if !ask {
			name = ""
		}
		k.WarnOfSecrets(ctx, r, name)
	}
}
