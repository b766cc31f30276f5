package artifact

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"github.com/proa-ml/proa/step"
)

// FileURL returns the URL of the store in the folder at an absolute path.
func FileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

func (s *Store) open(ctx context.Context, cfg step.Store) error {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return fmt.Errorf("%q is not a URL; it looks like "+forms, cfg.URL)
	}
	if (u.User != nil && !slices.Contains(AzureSchemes(), u.Scheme)) || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("a store's URL (%s://%s…) holds a place only; give keys and other attributes as options", u.Scheme, u.Host)
	}
	s.place = u.Redacted()
	switch u.Scheme {
	case "file":
		return s.openFile(u, cfg.Options)
	case "s3":
		return s.openBucket(ctx, u, cfg.Options, s3Options, openS3Bucket, s3Advice())
	case "gs":
		return s.openBucket(ctx, u, cfg.Options, gcpOptions, openGCPBucket, gcpAdvice())
	case "mem":
		s.bucket = memblob.OpenBucket(nil)
		return knownOptions(cfg.Options)
	}
	if slices.Contains(AzureSchemes(), u.Scheme) {
		u, options, err := azureStore(u, cfg.Options)
		if err != nil {
			return err
		}
		return s.openBucket(ctx, u, options, azureOptions, openAzureBucket, azureAdvice())
	}
	return fmt.Errorf("a store can't be at %q: the known forms are "+forms, cfg.URL)
}

// forms are the URLs of stores.
const forms = "file:///path, s3://bucket/prefix, gs://bucket/prefix and az://container/prefix"

func (s *Store) openFile(u *url.URL, options map[string]string) error {
	if err := knownOptions(options); err != nil {
		return err
	}
	path := filepath.FromSlash(u.Path)
	if (u.Host != "" && u.Host != "localhost") || !filepath.IsAbs(path) {
		return fmt.Errorf("%q is not the URL of an absolute path; it looks like file:///path", u.String())
	}
	bucket, err := fileblob.OpenBucket(path, &fileblob.Options{
		CreateDir: true, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
	})
	if err != nil {
		return fmt.Errorf("using the folder %s: %w", path, err)
	}
	s.bucket, s.root = bucket, filepath.Clean(path)
	return nil
}

// opener opens a bucket by its name.
type opener func(ctx context.Context, bucket string, options map[string]string) (*blob.Bucket, error)

// openBucket opens a store in a bucket at one of the services.
func (s *Store) openBucket(ctx context.Context, u *url.URL, options map[string]string, known []string, open opener, tips advice) error {
	if u.Host == "" {
		return fmt.Errorf("the URL names no bucket; it looks like %s://bucket/prefix", u.Scheme)
	}
	if err := knownOptions(options, known...); err != nil {
		return err
	}
	bucket, err := open(ctx, u.Host, options)
	if err != nil {
		return err
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := checkKey(prefix); err != nil {
			return err
		}
		bucket = blob.PrefixedBucket(bucket, prefix+"/")
	}
	s.bucket, s.advice = bucket, tips
	if endpoint := options["endpoint"]; endpoint != "" {
		s.place += " at " + endpoint
	}
	return nil
}

// knownOptions refuses options that the flavor doesn't have. Empty values count as not given.
func knownOptions(options map[string]string, known ...string) error {
	for name, value := range options {
		if value == "" || slices.Contains(known, name) {
			continue
		}
		if len(known) == 0 {
			return fmt.Errorf("unknown option %q: this kind of store has none", name)
		}
		return fmt.Errorf("unknown option %q: this kind of store has %s", name, strings.Join(known, ", "))
	}
	return nil
}
