// Command emulators is the throw-away cluster's stand-in for Google Cloud Storage: fake-gcs-server over a directory, behind a
// token server that takes nobody but the holder of one service account's key.
//
// It is a module and a binary of its own, so that neither its dependencies nor its changes touch the components of Kubernetes.
// In azurite/ is what pins the stand-in for Azure Blob Storage, which comes from npm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "gcs: %v\n", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("gcs", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:4443", "address to listen on")
	root := flags.String("root", "", "directory of the buckets")
	keyFile := flags.String("key", "", "file with the service account's key, as clients get it")
	bucket := flags.String("bucket", "", "bucket to make")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading the flags: %w", err)
	}
	account, err := readAccount(*keyFile)
	if err != nil {
		return err
	}
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		StorageRoot: *root, NoListener: true, ExternalURL: "http://" + *listen, PublicHost: *listen,
	})
	if err != nil {
		return fmt.Errorf("opening the directory of the buckets: %w", err)
	}
	storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: *bucket})
	return listenAndServe(ctx, &http.Server{Addr: *listen, Handler: guard(account, storage.HTTPHandler())})
}

// guard lets requests pass that carry an access token, and gives tokens to those who sign for the account.
func guard(a *account, storage http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/_internal/healthcheck":
			storage.ServeHTTP(w, r)
		case r.URL.Path == "/token":
			a.serveToken(w, r)
		case r.Header.Get("Authorization") != "Bearer "+a.token:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintln(w, `{"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}`)
		case strings.HasPrefix(r.URL.Path, "/_internal/"):
			http.NotFound(w, r)
		default:
			storage.ServeHTTP(w, r)
		}
	})
}

// listenAndServe serves until ctx ends, then lets requests in flight finish for a moment.
func listenAndServe(ctx context.Context, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", server.Addr, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping the server on %s: %w", server.Addr, err)
	}
	return nil
}
