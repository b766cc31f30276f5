package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/proa-ml/proa/internal/ambient"
)

const (
	azureScope = "https://containerregistry.azure.net/.default"
	// azureUser is the name that goes with a registry's refresh token.
	azureUser = "00000000-0000-0000-0000-000000000000"
	// azureLifetime is that of a refresh token that doesn't say it.
	azureLifetime = time.Hour
)

func azureHost(host string) bool {
	return regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)?\.azurecr\.(io|cn|us)$`).MatchString(host)
}

// azure has the registry exchange a token of Microsoft's directory for a refresh token of its own, with which Docker's clients log in.
func (c *Clouds) azure(host string) giver {
	identity := sync.OnceValues(func() (azcore.TokenCredential, error) {
		return ambient.Azure(ambient.Principal{}, policy.ClientOptions{Transport: c.options.Client, Telemetry: policy.TelemetryOptions{Disabled: true}})
	})
	return func(ctx context.Context) (string, string, time.Time, error) {
		credential, err := identity()
		if err != nil {
			return "", "", time.Time{}, err
		}
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{azureScope}})
		if err != nil {
			return "", "", time.Time{}, err
		}
		refresh, err := c.exchange(ctx, host, token.Token)
		if err != nil {
			return "", "", time.Time{}, err
		}
		return azureUser, refresh, c.expiry(refresh), nil
	}
}

func (c *Clouds) exchange(ctx context.Context, host, token string) (string, error) {
	form := url.Values{"grant_type": {"access_token"}, "service": {host}, "access_token": {token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+"/oauth2/exchange", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("making a request to %s: %w", host, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var reply struct {
		Token string `json:"refresh_token"`
	}
	if err := c.ask(request, &reply); err != nil {
		return "", err
	}
	if reply.Token == "" {
		return "", fmt.Errorf("%w: the registry gave no refresh token", ambient.ErrRefused)
	}
	return reply.Token, nil
}

// ask sends a request and reads the answer in JSON. What it says of a refusal is kept short, and holds nothing of the request.
func (c *Clouds) ask(request *http.Request, answer any) error {
	response, err := c.options.Client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ambient.ErrUnavailable, err)
	}
	defer response.Body.Close() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%w: %w", ambient.ErrUnavailable, err)
	}
	switch {
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", ambient.ErrUnavailable, refusalOf(response, body))
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: %w", ambient.ErrRefused, refusalOf(response, body))
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s answers something else than it should: %w", request.URL.Host, err)
	}
	return nil
}

// expiry reads the end of a JSON web token.
func (c *Clouds) expiry(token string) time.Time {
	var claims struct {
		Expiry int64 `json:"exp"`
	}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if data, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(data, &claims) // one that can't be read says nothing
		}
	}
	if claims.Expiry == 0 {
		return c.options.Now().Add(azureLifetime)
	}
	return time.Unix(claims.Expiry, 0)
}
