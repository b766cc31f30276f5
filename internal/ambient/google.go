package ambient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// Google returns tokens of Google's application default credentials. They are looked for when the first token is needed, and
// again if there were none. ctx is kept for the requests of all tokens, so its values count, and its end doesn't.
func Google(ctx context.Context, client *http.Client, scopes ...string) oauth2.TokenSource {
	ctx = context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, client)
	return GoogleTokens(&foundTokens{find: func() (oauth2.TokenSource, error) {
		credentials, err := google.FindDefaultCredentials(ctx, scopes...)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNone, err)
		}
		return credentials.TokenSource, nil
	}})
}

// GoogleTokens marks the errors of a source of Google's tokens with what they amount to.
func GoogleTokens(source oauth2.TokenSource) oauth2.TokenSource { return googleTokens{source} }

type googleTokens struct{ oauth2.TokenSource }

// Token implements oauth2.TokenSource.
func (g googleTokens) Token() (*oauth2.Token, error) {
	token, err := g.TokenSource.Token()
	return token, googleFailure(err)
}

func googleFailure(err error) error {
	var reply *oauth2.RetrieveError
	switch {
	case err == nil, errors.Is(err, ErrNone):
		return err
	case errors.As(err, &reply):
		if busy(reply.Response.StatusCode) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	case isNetwork(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// foundTokens are those of credentials that are looked for when they are needed.
type foundTokens struct {
	find func() (oauth2.TokenSource, error)

	mu    sync.Mutex
	found oauth2.TokenSource
}

// Token implements oauth2.TokenSource.
func (g *foundTokens) Token() (*oauth2.Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found == nil {
		found, err := g.find()
		if err != nil {
			return nil, err
		}
		g.found = found
	}
	return g.found.Token()
}
