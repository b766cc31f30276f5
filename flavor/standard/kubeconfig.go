package standard

import (
	"maps"
	"path/filepath"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
)

// Kubeconfig returns a lister of the contexts in the files that KUBECONFIG names, or in ~/.kube/config.
func Kubeconfig(env func(string) string) Contexts {
	return func() ([]string, string, error) {
		rules := &clientcmd.ClientConfigLoadingRules{Precedence: KubeconfigPaths(env), WarnIfAllMissing: false}
		config, err := rules.Load()
		if err != nil {
			return nil, "", err
		}
		return slices.Sorted(maps.Keys(config.Contexts)), config.CurrentContext, nil
	}
}

// KubeconfigPaths returns the files that make up the kubeconfig.
func KubeconfigPaths(env func(string) string) []string {
	if paths := env("KUBECONFIG"); paths != "" {
		return filepath.SplitList(paths)
	}
	if home := env("HOME"); home != "" {
		return []string{filepath.Join(home, ".kube", "config")}
	}
	return nil
}
