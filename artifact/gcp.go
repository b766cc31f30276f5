package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"gocloud.dev/blob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/proa-ml/proa/artifact/gcs"
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
		opened.Tokens = &ambientGCP{find: func() (oauth2.TokenSource, error) {
			credentials, err := google.FindDefaultCredentials(forTokens, gcs.Scope)
			if err != nil {
				return nil, err
			}
			return credentials.TokenSource, nil
		}}
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
	if file.Type != google.ServiceAccount && file.Type != google.AuthorizedUser {
		return nil, fmt.Errorf("the option service_account_key holds credentials of type %q; a service account's key has the type %q", file.Type, google.ServiceAccount)
	}
	credentials, err := google.CredentialsFromJSONWithType(ctx, []byte(key), file.Type, gcs.Scope)
	if err != nil {
		return nil, errors.New("the option service_account_key is not the content of a whole key file")
	}
	return credentials.TokenSource, nil
}

// ambientGCP are the machine's credentials. They are looked for when the first token is needed, and again if there were none.
type ambientGCP struct {
	find func() (oauth2.TokenSource, error)

	mu    sync.Mutex
	found oauth2.TokenSource
}

// Token implements oauth2.TokenSource.
func (a *ambientGCP) Token() (*oauth2.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found == nil {
		found, err := a.find()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoCredentials, err)
		}
		a.found = found
	}
	return a.found.Token()
}

// kindOfGCP returns the sentinel that an error of package gcs amounts to, and whether it is one of its.
func kindOfGCP(err error) (kind error, is bool) {
	var credentials *gcs.CredentialsError
	if errors.As(err, &credentials) {
		return kindOfToken(credentials.Err), true
	}
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

// kindOfToken tells a token's server that is away from credentials that are refused or not there.
func kindOfToken(err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		if kind := kindOfStatus(refused.Response.StatusCode); errors.Is(kind, ErrUnavailable) {
			return kind
		}
		return ErrDenied
	case !errors.Is(err, errNoCredentials) && isNetwork(err):
		return ErrUnavailable
	}
	return ErrDenied
}

// shortenGCP says what matters of an error of package gcs; empty if it is none.
func shortenGCP(err error) string {
	var credentials *gcs.CredentialsError
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return refusedBecause(refused)
	case errors.As(err, &credentials) && !isNetwork(err):
		return credentials.Error()
	}
	var reply *gcs.Error
	if errors.As(err, &reply) {
		return reply.Error()
	}
	return ""
}

// refusedBecause says what a token's server says in its reply, as RFC 6749 has it.
func refusedBecause(refused *oauth2.RetrieveError) string {
	var reply struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(refused.Body, &reply) != nil || reply.Code == "" {
		return "the credentials were refused: " + refused.Response.Status
	}
	return "the credentials were refused: " + strings.TrimSuffix(reply.Code+": "+reply.Description, ": ")
}
