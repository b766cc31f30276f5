package cloudtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Names of what Google's services know.
const (
	GoogleAccount  = "proa@project.iam.gserviceaccount.com"
	GoogleAudience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"
	jwtBearer      = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	exchange       = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// googleToken is Google's server of tokens for keys of service accounts, and for what gcloud remembers of a person.
func (c *Cloud) googleToken(w http.ResponseWriter, r *http.Request) {
	var err error
	grant := r.FormValue("grant_type")
	switch grant {
	case jwtBearer:
		var claims map[string]any
		claims, err = verify(r.FormValue("assertion"), &c.Account.PublicKey, "https://"+r.Host+"/google/token")
		err = errors.Join(err, want("the issuer", fmt.Sprint(claims["iss"]), GoogleAccount))
		if scope := fmt.Sprint(claims["scope"]); !strings.HasPrefix(scope, "https://www.googleapis.com/auth/") {
			err = errors.Join(err, fmt.Errorf("the scope is %q", scope))
		}
	case "refresh_token":
		id, secret, basic := r.BasicAuth()
		if !basic {
			id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
		}
		err = errors.Join(want("client_id", id, "client"), want("client_secret", secret, "hush"), want("refresh_token", r.FormValue("refresh_token"), "refresh"))
	default:
		err = fmt.Errorf("the grant is %q", grant)
	}
	c.googleReply(w, grant, err)
}

// googleExchange is Google's Security Token Service.
func (c *Cloud) googleExchange(w http.ResponseWriter, r *http.Request) {
	_, err := verify(r.FormValue("subject_token"), &c.Subject.PublicKey, GoogleAudience)
	err = errors.Join(err, want("grant_type", r.FormValue("grant_type"), exchange), want("audience", r.FormValue("audience"), GoogleAudience),
		want("subject_token_type", r.FormValue("subject_token_type"), "urn:ietf:params:oauth:token-type:jwt"),
		want("requested_token_type", r.FormValue("requested_token_type"), "urn:ietf:params:oauth:token-type:access_token"))
	c.googleReply(w, "exchange", err)
}

func (c *Cloud) googleReply(w http.ResponseWriter, what string, err error) {
	token, err := c.issue(what, err)
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(c.Lifetime.Seconds()), "token_type": "Bearer",
		"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})
}

// googleImpersonate gives who may act for a service account a token of it.
func (c *Cloud) googleImpersonate(w http.ResponseWriter, r *http.Request) {
	var err error
	if !c.Valid(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
		err = errors.New("the token is not one that the exchange has given")
	}
	var body struct{ Scope []string }
	if bad := json.NewDecoder(r.Body).Decode(&body); bad != nil || len(body.Scope) == 0 {
		err = errors.Join(err, errors.New("there is no scope"), bad)
	}
	token, err := c.issue("impersonate", err)
	if err != nil {
		reply(w, http.StatusForbidden, map[string]any{"error": map[string]any{"code": 403, "message": err.Error()}})
		return
	}
	reply(w, http.StatusOK, map[string]string{"accessToken": token, "expireTime": time.Now().Add(c.Lifetime).UTC().Format(time.RFC3339)})
}

// googleMetadata is the metadata server of a machine, or of a pod on GKE.
func (c *Cloud) googleMetadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	token, err := c.issue("metadata", want("Metadata-Flavor", r.Header.Get("Metadata-Flavor"), "Google"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	reply(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int(c.Lifetime.Seconds()), "token_type": "Bearer"})
}

// GoogleFile writes a file for GOOGLE_APPLICATION_CREDENTIALS, of a type: service_account, authorized_user or external_account.
func (c *Cloud) GoogleFile(kind string) string {
	c.t.Helper()
	content := map[string]any{"type": kind}
	switch kind {
	case "service_account":
		content["client_email"], content["private_key"], content["private_key_id"] = GoogleAccount, PEM(c.t, c.Account), "1"
		content["token_uri"] = c.Secure.URL + "/google/token"
	case "authorized_user":
		content["client_id"], content["client_secret"], content["refresh_token"] = "client", "hush", "refresh"
		content["token_uri"] = c.Secure.URL + "/google/token"
	case "external_account":
		content["audience"], content["subject_token_type"] = GoogleAudience, "urn:ietf:params:oauth:token-type:jwt"
		content["token_url"] = c.Secure.URL + "/google/sts"
		content["service_account_impersonation_url"] = c.Secure.URL + "/google/impersonate"
		content["credential_source"] = map[string]string{"file": c.SubjectFile(GoogleAudience)}
	}
	data, err := json.Marshal(content)
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.t.TempDir(), kind+".json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}
