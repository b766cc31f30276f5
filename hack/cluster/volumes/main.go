// Command volumes is the server of the throw-away cluster that gives claims their volumes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/proa-ml/proa/hack/cluster/internal/kube"
	"github.com/proa-ml/proa/hack/cluster/internal/pki"
	"github.com/proa-ml/proa/hack/cluster/internal/volumes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "volumes: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("volumes", flag.ContinueOnError)
	server := flags.String("server", "", "URL of the API server")
	authority := flags.String("authority", "", "file of the certificate of its authority")
	certificate := flags.String("certificate", "", "file of this server's own certificate")
	key := flags.String("key", "", "file of its key")
	dir := flags.String("dir", "", "directory of the volumes")
	node := flags.String("node", "", "name of the node")
	if err := flags.Parse(args); err != nil {
		return err
	}
	contents := map[string][]byte{}
	for _, path := range []string{*authority, *certificate, *key} {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading the certificates: %w", err)
		}
		contents[path] = content
	}
	client, err := kube.NewClient(*server, contents[*authority], pki.Pair{Certificate: contents[*certificate], Key: contents[*key]})
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "volumes: "+format+"\n", args...) }
	return volumes.Server{Client: client, Dir: *dir, Node: *node, Say: say}.Run(ctx)
}
