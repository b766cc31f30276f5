package cloudtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Names of what the clouds' registries know.
const (
	AmazonRegistry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
	AmazonAPI      = "api.ecr.eu-central-1.amazonaws.com"
	AzureRegistry  = "team.azurecr.io"
	azureUser      = "00000000-0000-0000-0000-000000000000"
	ecr            = "AmazonEC2ContainerRegistry_V20150921."
)

// amazonRegistry is the service beside Amazon's registry.
func (c *Cloud) amazonRegistry(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), ecr)
	if err := errors.Join(VerifySignature(r, body, c.Key, c.Secret, "ecr"), want("Content-Type", r.Header.Get("Content-Type"), "application/x-amz-json-1.1"),
		want("the host", r.Host, AmazonAPI)); err != nil {
		c.note("refused: " + err.Error())
		reply(w, http.StatusBadRequest, map[string]string{"__type": "UnrecognizedClientException", "message": "The security token included in the request is invalid."})
		return
	}
	var input struct{ RepositoryName, RegistryID string }
	if err := json.Unmarshal(body, &input); err != nil {
		return
	}
	switch {
	case operation == "GetAuthorizationToken":
		token, err := c.issue(operation, nil)
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"__type": "AccessDeniedException", "Message": "User is not authorized to perform: ecr:GetAuthorizationToken"})
			return
		}
		reply(w, http.StatusOK, map[string]any{"authorizationData": []map[string]any{{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + token)), "expiresAt": float64(c.Now().Add(c.Lifetime).UnixMilli()) / 1000,
			"proxyEndpoint": "https://" + AmazonRegistry,
		}}})
	case operation == "CreateRepository" && c.NoCreate:
		reply(w, http.StatusBadRequest, map[string]string{"__type": "AccessDeniedException", "Message": "User is not authorized to perform: ecr:CreateRepository"})
	case operation == "CreateRepository":
		if _, there := c.Repositories.LoadOrStore(input.RepositoryName, true); there {
			reply(w, http.StatusBadRequest, map[string]string{"__type": "RepositoryAlreadyExistsException"})
			return
		}
		c.note(operation)
		reply(w, http.StatusOK, map[string]any{"repository": map[string]string{"repositoryName": input.RepositoryName}})
	}
}

// azureExchange is what Azure's registries give for a token of the directory: one of their own.
func (c *Cloud) azureExchange(w http.ResponseWriter, r *http.Request) {
	err := errors.Join(want("grant_type", r.FormValue("grant_type"), "access_token"), want("service", r.FormValue("service"), AzureRegistry))
	if !c.Good(r.FormValue("access_token")) {
		err = errors.Join(err, errors.New("the token is not the directory's"))
	}
	token, err := c.issue("exchange", err)
	if err != nil {
		reply(w, http.StatusUnauthorized, map[string]any{"errors": []map[string]string{{"code": "UNAUTHORIZED", "message": err.Error()}}})
		return
	}
	reply(w, http.StatusOK, map[string]string{"refresh_token": token})
}

// registryToken gives a token to who logs in with a good one, as the registries of Google, Microsoft and GitHub do.
func (c *Cloud) registryToken(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	wanted := map[string]string{"pkg.dev": "oauth2accesstoken", "azurecr.io": azureUser, "ghcr.io": "ada"}
	var err error
	for host, name := range wanted {
		if strings.HasSuffix(r.Host, host) {
			err = want("the user", user, name)
		}
	}
	if !c.Good(password) {
		err = errors.Join(err, errors.New("the password is not good"))
	}
	token, err := c.issue("registry", err)
	if err != nil {
		reply(w, http.StatusUnauthorized, map[string]any{"errors": []map[string]string{{"code": "UNAUTHORIZED", "message": err.Error()}}})
		return
	}
	reply(w, http.StatusOK, map[string]any{"token": token, "expires_in": 300})
}

// Give gives out a token that nothing was asked for, such as GitHub's.
func (c *Cloud) Give() string {
	token, err := c.issue("given", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}
