// Package login logs in to the container registries of clouds with the credentials that a machine or a pod has there (package
// ambient). Which cloud a registry is of, its host tells.
package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/proa-ml/proa/internal/ambient"
)

// Options tune a Clouds. The zero value is good.
type Options struct {
	// Env looks up a variable of the environment; nil means that there are none. The clouds' libraries read it themselves.
	Env func(string) string
	// Client sends the requests; nil means one that gives up after a while.
	Client *http.Client
	Now    func() time.Time
}

// Clouds knows the registries of Google, Amazon, Microsoft and GitHub. It is safe for concurrent use.
type Clouds struct {
	options Options

	mu    sync.Mutex
	known map[string]*credentials
}

// patience is how long one answer may take.
const patience = 30 * time.Second

// New returns a Clouds. It contacts nobody before credentials are needed.
func New(o *Options) *Clouds {
	if o == nil {
		o = &Options{}
	}
	c := &Clouds{options: *o, known: map[string]*credentials{}}
	if c.options.Env == nil {
		c.options.Env = func(string) string { return "" }
	}
	if c.options.Client == nil {
		c.options.Client = &http.Client{Timeout: patience}
	}
	if c.options.Now == nil {
		c.options.Now = time.Now
	}
	return c
}

// Credentials returns what logs in to a registry, to push or only to pull, and is renewed as it expires; nil if the registry is
// of none of the clouds.
func (c *Clouds) Credentials(host string, push bool) authn.Authenticator {
	push = push || !googleHost(host) // no other cloud's have less for who only pulls
	give, remedy := c.cloud(host, push)
	if give == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprint(host, push)
	if c.known[key] == nil {
		c.known[key] = &credentials{host: host, remedy: remedy, give: give, now: c.options.Now}
	}
	return c.known[key]
}

// giver gets new credentials, and says when they expire; a zero time means never.
type giver func(ctx context.Context) (username, password string, until time.Time, err error)

// cloud finds whose registry a host is; nil if nobody's.
func (c *Clouds) cloud(host string, push bool) (give giver, remedy string) {
	switch {
	case googleHost(host):
		return c.google(push), "type `gcloud auth application-default login`, or `gcloud auth configure-docker " + host + "` for Docker's configuration"
	case azureHost(host):
		return c.azure(host), "type `az login`, or `az acr login --name " + strings.SplitN(host, ".", 2)[0] + "` for Docker's configuration"
	case host == "ghcr.io":
		return c.github(), "set GITHUB_TOKEN to a token that may write packages, or type `docker login ghcr.io`"
	}
	if registry, is := amazonRegistry(host); is {
		return c.amazon(registry), fmt.Sprintf("type `aws configure` or `aws sso login`, or `aws ecr get-login-password --region %s | docker login -u AWS --password-stdin %s` for Docker's configuration",
			registry.region, host)
	}
	return nil, ""
}

// renewal is how long before their end credentials are replaced: longer than a request takes, and shorter than any of the
// clouds' last.
const renewal = 5 * time.Minute

// credentials are those of one registry.
type credentials struct {
	host, remedy string
	give         giver
	now          func() time.Time

	mu     sync.Mutex
	config *authn.AuthConfig
	until  time.Time
}

var _ authn.ContextAuthenticator = (*credentials)(nil)

// Authorization implements authn.Authenticator.
func (c *credentials) Authorization() (*authn.AuthConfig, error) {
	return c.AuthorizationContext(context.Background()) // the interface has none; who has one calls the other
}

// AuthorizationContext implements authn.ContextAuthenticator.
func (c *credentials) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config != nil && (c.until.IsZero() || c.now().Add(renewal).Before(c.until)) {
		return c.config, nil
	}
	username, password, until, err := c.give(ctx)
	if err != nil {
		return nil, &Error{host: c.host, remedy: c.remedy, err: err}
	}
	c.config, c.until = &authn.AuthConfig{Username: username, Password: password}, until
	return c.config, nil
}

// Until is when what Authorization returned last expires; zero if it doesn't.
func (c *credentials) Until() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until
}

// Error is why there is no login to a registry, and what to do about it. It wraps one of package ambient's, if that is why.
type Error struct {
	host, remedy string
	err          error
}

func (e *Error) Error() string {
	return fmt.Sprintf("logging in to %s: %s; %s, or set username and password on the container registry", e.host, why(e.err), e.remedy)
}

// why says in few words why there is no login.
func why(err error) string {
	text := ambient.Text(err)
	var said *refusal
	switch {
	case text == "":
		return err.Error()
	case errors.As(err, &said):
		return text + ": " + said.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }
