package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gocloud.dev/blob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/proa-ml/proa/artifact/gcs"
	"github.com/proa-ml/proa/internal/ambient"
)

// gcpOptions are the attributes of a store in Google Cloud Storage. Without a key, credentials are looked for where
// Google's tools look: environment, gcloud's own, the machine's or pod's service account.
var gcpOptions = []string{"endpoint", "service_account_key"}

func openGCPBucket(ctx context.Context, bucket string, options map[string]string) (*blob.Bucket, error) {
	endpoint, key := options["endpoint"], options["service_account_key"]
	if err := checkEndpoint(endpoint, "service_account_key"); err != nil {
		return nil, err
	}
	client := newHTTPClient()
	// Tokens are asked for when they are needed, maybe long after this call.
	forTokens := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, client)
	opened := &gcs.Options{Endpoint: endpoint, Client: client}
	switch {
	case key != "":
		credentials, err := keyCredentials(forTokens, key)
		if err != nil {
			return nil, err
		}
		opened.Tokens = credentials
	case strings.HasPrefix(endpoint, "http:"):
		// An emulator takes everybody, and a token must not be shown to whoever listens.
	default:
		opened.Tokens = ambient.Google(ctx, client, gcs.Scope)
	}
	return gcs.OpenBucket(bucket, opened), nil
}

// keyCredentials reads a key file's content. Its errors never repeat it.
func keyCredentials(ctx context.Context, key string) (oauth2.TokenSource, error) {
	var file struct {
		Type google.CredentialsType `json:"type"`
	}
	if err := json.Unmarshal([]byte(key), &file); err != nil {
		return nil, errors.New("the option service_account_key is not the content of a key file in JSON")
	}
	if file.Type == google.ExternalAccount || file.Type == google.ImpersonatedServiceAccount {
		return nil, fmt.Errorf("the option service_account_key holds credentials of type %q, which name files or services of a machine and so are no secret to hand to others: leave it out, and have GOOGLE_APPLICATION_CREDENTIALS name the file where the store is used (also in the pods of steps)", file.Type)
	}
	if file.Type != google.ServiceAccount && file.Type != google.AuthorizedUser {
		return nil, fmt.Errorf("the option service_account_key holds credentials of type %q; a service account's key has the type %q", file.Type, google.ServiceAccount)
	}
	credentials, err := google.CredentialsFromJSONWithType(ctx, []byte(key), file.Type, gcs.Scope)
	if err != nil {
		return nil, errors.New("the option service_account_key is not the content of a whole key file")
	}
	return ambient.GoogleTokens(credentials.TokenSource), nil
}

// kindOfGCP returns the sentinel that an error of package gcs amounts to, and whether it is one of its.
func kindOfGCP(err error) (kind error, is bool) {
	var reply *gcs.Error
	if !errors.As(err, &reply) {
		return nil, false
	}
	switch reply.Missing {
	case gcs.MissingObject:
		return ErrNotFound, true
	case gcs.MissingBucket:
		return ErrNoBucket, true
	case gcs.MissingUnknown:
	}
	return kindOfStatus(reply.Status), true
}

// shortenGCP says what matters of an error of package gcs; empty if it is none.
func shortenGCP(err error) string {
	var reply *gcs.Error
	if errors.As(err, &reply) {
		return reply.Error()
	}
	return ""
}
