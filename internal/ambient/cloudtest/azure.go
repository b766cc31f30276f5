package cloudtest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Names of what Azure's services know.
const (
	AzureTenant    = "11111111-1111-1111-1111-111111111111"
	AzureClient    = "22222222-2222-2222-2222-222222222222"
	AzureSecret    = "secret-of-the-principal"
	AzureAudience  = "api://AzureADTokenExchange"
	IdentityHeader = "header-of-the-app"
	assertionType  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// azureDiscovery says where a directory's services are.
func (c *Cloud) azureDiscovery(w http.ResponseWriter, r *http.Request) {
	base := "https://" + r.Host + "/" + r.PathValue("tenant")
	reply(w, http.StatusOK, map[string]string{
		"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
	})
}

// azureToken is a directory's server of tokens.
func (c *Cloud) azureToken(w http.ResponseWriter, r *http.Request) {
	what, proof := "principal", want("client_secret", r.FormValue("client_secret"), AzureSecret)
	if assertion := r.FormValue("client_assertion"); assertion != "" {
		what = "federated"
		_, proof = verify(assertion, &c.Subject.PublicKey, AzureAudience)
		proof = errors.Join(proof, want("client_assertion_type", r.FormValue("client_assertion_type"), assertionType))
	}
	err := errors.Join(proof, want("tenant", r.PathValue("tenant"), AzureTenant), want("client_id", r.FormValue("client_id"), AzureClient),
		want("grant_type", r.FormValue("grant_type"), "client_credentials"))
	if !strings.Contains(r.FormValue("scope"), "https://") || !strings.Contains(r.FormValue("scope"), "/.default") {
		err = errors.Join(err, errors.New("the scope is "+r.FormValue("scope")))
	}
	token, err := c.issue(what, err)
	if err != nil {
		reply(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client",
			"error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: 1 Correlation ID: 2"})
		return
	}
	reply(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(c.Lifetime.Seconds()), "token_type": "Bearer"})
}

// azureAppService is the managed identity of App Service, and of what does as it does.
func (c *Cloud) azureAppService(w http.ResponseWriter, r *http.Request) {
	c.managed(w, r, "app service", errors.Join(want("X-IDENTITY-HEADER", r.Header.Get("X-Identity-Header"), IdentityHeader),
		want("api-version", r.FormValue("api-version"), "2019-08-01")))
}

// azureIMDS is the managed identity of a machine.
func (c *Cloud) azureIMDS(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata") == "" { // the library asks first whether there is such a service at all
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": "Required metadata header not specified"})
		return
	}
	c.managed(w, r, "machine", errors.Join(want("Metadata", r.Header.Get("Metadata"), "true"), want("the host", r.Host, "169.254.169.254")))
}

func (c *Cloud) managed(w http.ResponseWriter, r *http.Request, what string, err error) {
	if !strings.HasPrefix(r.FormValue("resource"), "https://") {
		err = errors.Join(err, errors.New("the resource is "+r.FormValue("resource")))
	}
	token, err := c.issue(what, err)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": err.Error()})
		return
	}
	until := strconv.FormatInt(time.Now().Add(c.Lifetime).Unix(), 10)
	reply(w, http.StatusOK, map[string]string{"access_token": token, "expires_on": until, "expires_in": strconv.Itoa(int(c.Lifetime.Seconds())),
		"token_type": "Bearer", "resource": r.FormValue("resource"), "client_id": AzureClient})
}
