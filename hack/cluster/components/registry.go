package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the only storage used
	"github.com/sirupsen/logrus"
)

// serveRegistry is an image registry over plain HTTP that keeps its blobs in a directory and lets them be deleted.
func serveRegistry(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:5000", "address to listen on")
	root := flags.String("root", "", "directory of the blobs")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading the flags: %w", err)
	}
	logrus.SetLevel(logrus.WarnLevel)
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": *root},
			"delete":     configuration.Parameters{"enabled": true},
			"cache":      configuration.Parameters{"blobdescriptor": "inmemory"},
		},
	}
	config.Catalog.MaxEntries = 1000
	server := &http.Server{Addr: *listen, Handler: handlers.NewApp(ctx, config)}
	return listenAndServe(ctx, server)
}
