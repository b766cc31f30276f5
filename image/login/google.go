package login

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/proa-ml/proa/internal/ambient"
)

// Scopes of Google's tokens. There is none for the registry alone; what nodes pull with can write nothing.
const (
	googleWrite = "https://www.googleapis.com/auth/cloud-platform"
	googleRead  = "https://www.googleapis.com/auth/cloud-platform.read-only"
)

func googleHost(host string) bool {
	return strings.HasSuffix(host, "-docker.pkg.dev") || host == "gcr.io" || strings.HasSuffix(host, ".gcr.io")
}

// google logs in with an access token.
func (c *Clouds) google(push bool) giver {
	scope := googleRead
	if push {
		scope = googleWrite
	}
	var once sync.Once
	var tokens oauth2.TokenSource
	return func(ctx context.Context) (string, string, time.Time, error) {
		once.Do(func() { tokens = ambient.Google(ctx, c.options.Client, scope) })
		token, err := tokens.Token()
		if err != nil {
			return "", "", time.Time{}, err
		}
		return "oauth2accesstoken", token.AccessToken, token.Expiry, nil
	}
}
