package ambient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Principal is an application that is registered in a directory of Microsoft Entra, with a secret of its own.
type Principal struct{ Tenant, Client, Secret string }

// Azure returns the tokens of a principal or, if none is given, of the machine: environment, workload identity, managed
// identity, az.
func Azure(given Principal, opts policy.ClientOptions) (azcore.TokenCredential, error) {
	authority := os.Getenv("AZURE_AUTHORITY_HOST") //nolint:forbidigo // as Microsoft's library does, which has no parameter for it
	sender := &azureSender{Transporter: opts.Transport}
	if opts.Transport != nil {
		opts.Transport = sender
	}
	tokens := &azureTokens{sender: sender}
	var err error
	if given.Client != "" {
		tokens.TokenCredential, err = azidentity.NewClientSecretCredential(given.Tenant, given.Client, given.Secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: ownAuthority(authority)})
	} else {
		tokens.TokenCredential, err = azidentity.NewDefaultAzureCredential(
			&azidentity.DefaultAzureCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: ownAuthority(authority)})
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Azure identity: %w: %w", ErrNone, err)
	}
	return tokens, nil
}

// ownAuthority says that a directory is none of Microsoft's, of which Microsoft's public one knows nothing: that of an Azure
// Stack, say.
func ownAuthority(text string) bool {
	if text == "" {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && !slices.Contains([]string{
		"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net",
		"login.microsoftonline.us", "login.chinacloudapi.cn", "login.partner.microsoftonline.cn",
	}, u.Hostname())
}

// azureTokens marks errors with what they amount to.
type azureTokens struct {
	azcore.TokenCredential
	sender *azureSender
}

// GetToken implements azcore.TokenCredential.
func (a *azureTokens) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := a.TokenCredential.GetToken(ctx, opts)
	var refused *azidentity.AuthenticationFailedError
	switch {
	case err == nil, ctx.Err() != nil:
		return token, err
	case !errors.As(err, &refused):
		return token, fmt.Errorf("%w: %w", ErrNone, err)
	case refused.RawResponse == nil && a.sender.lost.Load(), refused.RawResponse != nil && busy(refused.RawResponse.StatusCode):
		return token, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return token, fmt.Errorf("%w: %w", ErrRefused, err)
}

// azureSender remembers whether the last request got no reply, which Microsoft's errors tell only in words.
type azureSender struct {
	policy.Transporter
	lost atomic.Bool
}

// Do implements policy.Transporter.
func (s *azureSender) Do(r *http.Request) (*http.Response, error) {
	response, err := s.Transporter.Do(r)
	s.lost.Store(err != nil && isNetwork(err))
	return response, err
}

func azureReason(refused *azidentity.AuthenticationFailedError) string {
	if refused.RawResponse == nil {
		return ""
	}
	body, err := io.ReadAll(io.LimitReader(refused.RawResponse.Body, 1<<16))
	if err != nil {
		return refused.RawResponse.Status
	}
	return orElse(said(body), refused.RawResponse.Status)
}
