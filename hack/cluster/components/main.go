// Command components is every server of the throw-away cluster in one binary, so that it is linked once.
//
// Which one it is, the name it is called by says (a link named kubectl is kubectl), or else its first argument.
// Nothing is patched: each component is the command of its own module, at the versions of go.mod.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A component runs until it ends or ctx does, and returns the exit status.
// It finds its own name and arguments in os.Args, as the upstream commands expect.
type component func(ctx context.Context) int

func components() map[string]component {
	return map[string]component{
		"kube-apiserver":          runAPIServer,
		"kube-controller-manager": runControllerManager,
		"kube-scheduler":          runScheduler,
		"kubelet":                 runKubelet,
		"kube-proxy":              runProxy,
		"kubectl":                 runKubectl,
		"etcd":                    runEtcd,
		"registry":                served(serveRegistry),
		"s3":                      served(serveS3),
		"dns":                     served(serveDNS),
	}
}

func main() {
	all := components()
	os.Args[0] = filepath.Base(os.Args[0])
	if all[os.Args[0]] == nil && len(os.Args) > 1 {
		os.Args = os.Args[1:]
	}
	run := all[os.Args[0]]
	if run == nil {
		names := make([]string, 0, len(all))
		for name := range all {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "components: no component %q; there are: %s\n", os.Args[0], strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(run(context.Background()))
}

// served makes a component of a server of this module: it ends with the first SIGINT or SIGTERM, and says why it failed.
func served(serve func(ctx context.Context, args []string) error) component {
	return func(ctx context.Context) int {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		if err := serve(ctx, os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
			return 1
		}
		return 0
	}
}
