package standard

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/keyring"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/secrets"
	"github.com/proa-ml/proa/secrets/driver"
	"github.com/proa-ml/proa/secrets/kubernetes"
	"github.com/proa-ml/proa/secrets/local"
	"github.com/proa-ml/proa/stack"
)

func localSecrets() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.SecretsManager, Name: "local",
		Meaning: "a file of this machine's user; runs elsewhere are given what they need of it",
		Attributes: []flavor.Attribute{
			{Name: "path", Type: flavor.Text, Meaning: "the absolute path of the file, made if it is missing; secrets.json in proa's data folder if not given", Example: "/home/you/team-secrets.json", Check: absolute},
			{Name: "encryption", Type: flavor.Text, Check: oneOf(string(local.None), string(local.Passphrase), string(local.Keyring)), Example: "keyring",
				Meaning: "none; passphrase: the file is encrypted with the passphrase in " + local.PassphraseEnv + ", or asked for on a terminal; keyring: with a key that the keyring of this machine's user keeps (Secret Service, Keychain or Credential Manager). If not given, a new file is encrypted where that variable is set, and others stay as they are"},
		},
	}
}

func kubernetesSecrets(contexts Contexts) flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.SecretsManager, Name: "kubernetes",
		Meaning: "Secrets of a cluster's namespace, which whoever may read them there shares",
		Attributes: []flavor.Attribute{
			contextAttribute(), insideAttribute(),
			{Name: "kubernetes_namespace", Type: flavor.Text, Default: "proa", Meaning: "the namespace of the Secrets; it must exist", Example: "proa", Check: dnsLabel},
		},
		Verify: verifyCluster(contexts, stack.SecretsManager),
	}
}

// Secrets implements flavor.Opener.
func (o Opener) Secrets(_ context.Context, s stack.Resolved) (*secrets.Manager, error) {
	c, settings, err := o.plain(s, stack.SecretsManager)
	if err != nil {
		return nil, err
	}
	var store driver.Store
	switch c.Flavor {
	case "local":
		store, err = o.localSecrets(settings)
	case "kubernetes":
		store, err = o.kubernetesSecrets(settings)
	default:
		return nil, unsupported(c)
	}
	if err != nil {
		return nil, err
	}
	return secrets.New(store, c.Name), nil
}

func (o Opener) kubernetesSecrets(settings flavor.Settings) (driver.Store, error) {
	config, name, err := o.clusterOf(settings).Rest()
	if err != nil {
		return nil, unreachable(stack.SecretsManager, err)
	}
	client, err := kubeconfig.Client(config)
	if err != nil {
		return nil, err
	}
	return kubernetes.New(kubernetes.Config{Client: client, Namespace: settings["kubernetes_namespace"], Where: fmt.Sprintf("the cluster of context %q", name)}), nil
}

func (o Opener) localSecrets(settings flavor.Settings) (driver.Store, error) {
	path := settings["path"]
	if path == "" {
		if o.DataDir == "" {
			return nil, stack.Mistake("set HOME or PROA_DATA_DIR", "there is no place for the secrets: HOME is not set")
		}
		path = filepath.Join(o.DataDir, "secrets.json")
	}
	opts := local.Options{Rand: o.Rand, Ask: o.Ask, Keys: keyring.Keyring{Env: o.Env}}
	if passphrase := o.Env(local.PassphraseEnv); passphrase != "" {
		opts.Passphrase = &passphrase
	}
	return local.New(local.Config{Path: path, Encryption: local.Encryption(settings["encryption"])}, opts), nil
}

// Reveal implements flavor.Opener.
func (o Opener) Reveal(ctx context.Context, s stack.Resolved, kinds ...stack.Kind) (stack.Resolved, error) {
	manager := func(ctx context.Context) (*secrets.Manager, error) { return o.Secrets(ctx, s) }
	return o.Catalogue.Reveal(ctx, s, manager, kinds...)
}
