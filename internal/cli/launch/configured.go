package launch

import (
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/runconfig"
)

// WithConfig runs a script's pipeline with a run configuration. The script is told where it is, and its pipeline hands that on
// together with its spec.
func WithConfig(k *kit.Kit, args []string, config string) error {
	config = inDir(k, config)
	if _, err := runconfig.Read(config); err != nil {
		return err // before the script does anything
	}
	return runScript(k, args, runconfig.Variable+"="+config)
}

// Script runs a Python script, and doesn't return unless it can't be started.
func Script(k *kit.Kit, args ...string) error { return runScript(k, args) }

// configured returns the spec with what the run configuration says in it, if there is one.
func configured(k *kit.Kit, spec []byte) ([]byte, error) {
	path := k.Env(runconfig.Variable)
	if path == "" {
		return spec, nil
	}
	config, err := runconfig.Read(path)
	if err != nil {
		return nil, err
	}
	return config.Apply(spec)
}
