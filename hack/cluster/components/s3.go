package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

// serveS3 is an S3 server over a directory, with one account. The secret comes by environment, so that no process list shows it.
func serveS3(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("s3", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9000", "address to listen on")
	root := flags.String("root", "", "directory of the buckets")
	region := flags.String("region", "us-east-1", "region that requests must name")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading the flags: %w", err)
	}
	access, secret := os.Getenv("ROOT_ACCESS_KEY"), os.Getenv("ROOT_SECRET_KEY")
	if access == "" || secret == "" {
		return errors.New("ROOT_ACCESS_KEY and ROOT_SECRET_KEY must be set")
	}
	backend, err := openPosix(*root)
	if err != nil {
		return err
	}
	defer backend.Shutdown()
	account := auth.NewIAMServiceSingle(auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin})
	server, err := s3api.New(backend, middlewares.RootUserConfig{Access: access, Secret: secret}, *region, account, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithHealth("/health"), s3api.WithConcurrencyLimiter(10000, 10000), s3api.WithMpMaxParts(10000))
	if err != nil {
		return fmt.Errorf("making the S3 server: %w", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeMultiPort([]string{*listen}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", *listen, err)
	case <-ctx.Done():
		return nil
	}
}

// openPosix keeps objects as files, and what S3 knows about them in extended attributes, or beside them where the file system has none.
func openPosix(root string) (*posix.Posix, error) {
	data, sidecar := filepath.Join(root, "data"), filepath.Join(root, "meta")
	for _, dir := range []string{data, sidecar} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making the S3 directory: %w", err)
		}
	}
	var store meta.MetadataStorer = meta.XattrMeta{}
	options := posix.PosixOpts{NewDirPerm: 0o755}
	if err := (meta.XattrMeta{}).Test(data); err != nil {
		beside, err := meta.NewSideCar(sidecar)
		if err != nil {
			return nil, fmt.Errorf("keeping metadata beside the objects: %w", err)
		}
		store, options.SideCarDir = beside, sidecar
	}
	backend, err := posix.New(data, store, options)
	if err != nil {
		return nil, fmt.Errorf("opening the S3 directory: %w", err)
	}
	return backend, nil
}
