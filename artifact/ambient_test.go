package artifact_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/oauth2/google"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/artifact/gcs"
	"github.com/proa-ml/proa/internal/ambient/cloudtest"
	"github.com/proa-ml/proa/step"
)

// TestAmbientS3 writes to the real server with keys from each place where Amazon's tools look for them. What those give out are
// sessions of the server's key, of which the gate takes the latest only.
func TestAmbientS3(t *testing.T) {
	env := environment(t, "PROA_TEST_S3_ENDPOINT", "PROA_TEST_S3_BUCKET", "PROA_TEST_S3_REGION", "PROA_TEST_S3_KEY", "PROA_TEST_S3_SECRET")
	shared := func(t *testing.T, content string) string {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		asked    string
		lifetime time.Duration
		profile  string
		env      func(t *testing.T, c *cloudtest.Cloud) map[string]string
	}{
		"environment": {env: func(*testing.T, *cloudtest.Cloud) map[string]string {
			return map[string]string{"AWS_ACCESS_KEY_ID": env[3], "AWS_SECRET_ACCESS_KEY": env[4]}
		}},
		"shared profile": {profile: "team", env: func(t *testing.T, _ *cloudtest.Cloud) map[string]string {
			return map[string]string{"AWS_SHARED_CREDENTIALS_FILE": shared(t, "[team]\naws_access_key_id="+env[3]+"\naws_secret_access_key="+env[4]+"\n")}
		}},
		"role of a profile": {asked: "AssumeRole", profile: "team", env: func(t *testing.T, c *cloudtest.Cloud) map[string]string {
			return map[string]string{"AWS_ENDPOINT_URL_STS": c.Plain.URL + "/sts/", "AWS_CONFIG_FILE": shared(t, "[profile team]\nrole_arn="+cloudtest.Role+"\nsource_profile=base\nregion="+env[2]+
				"\n[profile base]\naws_access_key_id="+c.Key+"\naws_secret_access_key="+c.Secret+"\n")}
		}},
		"web identity": {asked: "AssumeRoleWithWebIdentity", env: webIdentity},
		// Each is over at once, so that nothing works without new ones in the middle of the work.
		"sessions that end": {asked: "AssumeRoleWithWebIdentity", lifetime: -time.Second, env: webIdentity},
		"machine": {asked: "machine", env: func(_ *testing.T, c *cloudtest.Cloud) map[string]string {
			return map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": c.Plain.URL}
		}},
		"pod identity": {asked: "container", env: func(t *testing.T, c *cloudtest.Cloud) map[string]string {
			return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": c.Plain.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": shared(t, cloudtest.ContainerToken)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := cloudtest.Start(t, cloudtest.Options{Lifetime: c.lifetime})
			cfg := step.Store{URL: "s3://" + env[1] + "/artifact-test/" + rand.Text(), Options: map[string]string{"endpoint": env[0], "region": env[2]}}
			if c.profile != "" {
				cfg.Options["profile"] = c.profile
			}
			if c.asked != "" {
				cfg.Options["endpoint"] = gate(t, false, env[0], func(r *http.Request) string { return session(r, cloud) }, cloud,
					func(w http.ResponseWriter, _ *http.Request) { s3Fail(w, http.StatusBadRequest, "ExpiredToken") },
					func(r *http.Request) { sign(t, r, env[3], env[4], env[2]) })
			}
			if err := inProcess(t, cloud, cfg, c.env(t, cloud)); err != nil {
				t.Error(err)
			}
			wantAsked(t, cloud, c.asked, c.lifetime != 0)
		})
	}
}

// session is the session's token of a request, if its signature is right, too.
func session(r *http.Request, c *cloudtest.Cloud) string {
	if err := cloudtest.VerifySignature(r, nil, c.Key, c.Secret, "s3"); err != nil {
		return ""
	}
	return r.Header.Get("X-Amz-Security-Token")
}

// sign makes a request one of another key.
func sign(t *testing.T, r *http.Request, key, secret, region string) {
	r.Header.Del("X-Amz-Security-Token")
	r.Header.Del("X-Forwarded-For")
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(r.Context(),
		aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", region, time.Now())
	if err != nil {
		t.Error(err)
	}
}

func webIdentity(_ *testing.T, c *cloudtest.Cloud) map[string]string {
	return map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": c.SubjectFile(cloudtest.AmazonAudience), "AWS_ROLE_ARN": cloudtest.Role,
		"AWS_ROLE_SESSION_NAME": "proa", "AWS_ENDPOINT_URL_STS": c.Plain.URL + "/sts/"}
}

// TestAmbientGCS writes to the emulator through a gate that wants tokens.
func TestAmbientGCS(t *testing.T) {
	real := gcsConfig(t)
	account, err := google.JWTConfigFromJSON([]byte(real.Options["service_account_key"]), gcs.Scope)
	if err != nil {
		t.Fatal(err)
	}
	tokens := account.TokenSource(t.Context())
	file := func(kind string) func(*cloudtest.Cloud) map[string]string {
		return func(c *cloudtest.Cloud) map[string]string {
			return map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": c.GoogleFile(kind)}
		}
	}
	metadata := func(c *cloudtest.Cloud) map[string]string {
		return map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(c.Plain.URL, "http://")}
	}
	for name, c := range map[string]struct {
		asked    string
		lifetime time.Duration
		env      func(*cloudtest.Cloud) map[string]string
	}{
		"key file":         {"urn:ietf:params:oauth:grant-type:jwt-bearer", 0, file("service_account")},
		"person":           {"refresh_token", 0, file("authorized_user")},
		"federation":       {"exchange impersonate", 0, file("external_account")},
		"metadata":         {"metadata", 0, metadata},
		"tokens that end":  {"metadata", time.Second, metadata},
		"keys that expire": {"urn:ietf:params:oauth:grant-type:jwt-bearer", time.Second, file("service_account")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := cloudtest.Start(t, cloudtest.Options{Lifetime: c.lifetime})
			cfg := step.Store{URL: real.URL + name, Options: map[string]string{}}
			cfg.Options["endpoint"] = gate(t, true, real.Options["endpoint"], bearer, cloud,
				func(w http.ResponseWriter, _ *http.Request) {
					http.Error(w, `{"error":{"message":"Invalid Credentials"}}`, http.StatusUnauthorized)
				},
				func(r *http.Request) {
					token, err := tokens.Token()
					if err != nil {
						t.Error(err)
						return
					}
					token.SetAuthHeader(r)
				})
			if err := inProcess(t, cloud, cfg, c.env(cloud)); err != nil {
				t.Error(err)
			}
			wantAsked(t, cloud, c.asked, c.lifetime != 0)
		})
	}
}

// TestAmbientAzure writes to Azurite through a gate that takes tokens for the account's key.
func TestAmbientAzure(t *testing.T) {
	real := azureConfig(t)
	principal := map[string]string{"tenant_id": cloudtest.AzureTenant, "client_id": cloudtest.AzureClient, "client_secret": cloudtest.AzureSecret}
	for name, c := range map[string]struct {
		asked   string
		options map[string]string
		env     func(*cloudtest.Cloud) map[string]string
	}{
		"principal of the store": {"principal", principal, func(c *cloudtest.Cloud) map[string]string {
			return map[string]string{"AZURE_AUTHORITY_HOST": c.Secure.URL}
		}},
		"principal of the machine": {"principal", nil, func(c *cloudtest.Cloud) map[string]string {
			return map[string]string{"AZURE_AUTHORITY_HOST": c.Secure.URL, "AZURE_TENANT_ID": cloudtest.AzureTenant,
				"AZURE_CLIENT_ID": cloudtest.AzureClient, "AZURE_CLIENT_SECRET": cloudtest.AzureSecret}
		}},
		"workload identity": {"federated", nil, func(c *cloudtest.Cloud) map[string]string {
			return map[string]string{"AZURE_AUTHORITY_HOST": c.Secure.URL, "AZURE_TENANT_ID": cloudtest.AzureTenant,
				"AZURE_CLIENT_ID": cloudtest.AzureClient, "AZURE_FEDERATED_TOKEN_FILE": c.SubjectFile(cloudtest.AzureAudience)}
		}},
		"app service": {"app service", nil, func(c *cloudtest.Cloud) map[string]string {
			return map[string]string{"IDENTITY_ENDPOINT": c.Plain.URL + "/msi/token", "IDENTITY_HEADER": cloudtest.IdentityHeader}
		}},
		// The machine's service has one address everywhere, which the proxy stands for here.
		"machine": {"machine", nil, func(c *cloudtest.Cloud) map[string]string {
			return map[string]string{"HTTP_PROXY": c.Plain.URL, "NO_PROXY": "127.0.0.1"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := cloudtest.Start(t, cloudtest.Options{})
			cfg := step.Store{URL: real.URL + name, Options: map[string]string{"account_name": real.Options["account_name"]}}
			maps.Copy(cfg.Options, c.options)
			cfg.Options["endpoint"] = gate(t, true, real.Options["endpoint"], bearer, cloud,
				func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Ms-Error-Code", "InvalidAuthenticationInfo")
					w.WriteHeader(http.StatusUnauthorized)
				},
				func(r *http.Request) {
					r.Header.Del("Authorization")
					r.URL.RawQuery += "&" + sas(&real, time.Now().Add(time.Hour), "racwdl")
				})
			if err := inProcess(t, cloud, cfg, c.env(cloud)); err != nil {
				t.Error(err)
			}
			wantAsked(t, cloud, c.asked, false)
		})
	}
}

// TestAmbientRefused has the identity services refuse, or be away.
func TestAmbientRefused(t *testing.T) {
	away := "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		cfg  step.Store
		env  func(*cloudtest.Cloud) map[string]string
		want []string
	}{
		"amazon": {step.Store{URL: "s3://b", Options: map[string]string{"endpoint": away}},
			func(c *cloudtest.Cloud) map[string]string { return webIdentity(t, c) },
			[]string{artifact.ErrDenied.Error(), "the credentials were refused: InvalidIdentityToken", "check the store's key"}},
		"amazon, no file": {step.Store{URL: "s3://b", Options: map[string]string{"endpoint": away}},
			func(c *cloudtest.Cloud) map[string]string {
				env := webIdentity(t, c)
				env["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/no/such/token"
				return env
			},
			[]string{artifact.ErrDenied.Error(), "no credentials were found: unable to read file at /no/such/token"}},
		"amazon, away": {step.Store{URL: "s3://b", Options: map[string]string{"endpoint": away}},
			func(*cloudtest.Cloud) map[string]string {
				return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": away}
			},
			[]string{artifact.ErrUnavailable.Error(), "identity service is unavailable"}},
		"google": {step.Store{URL: "gs://b", Options: map[string]string{"endpoint": "https://127.0.0.1:1"}},
			func(c *cloudtest.Cloud) map[string]string {
				return map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": c.GoogleFile("service_account")}
			},
			[]string{artifact.ErrDenied.Error(), "the credentials were refused: invalid_grant: the test denies it", "check the store's service_account_key"}},
		"azure": {step.Store{URL: "az://c", Options: map[string]string{"account_name": "a", "endpoint": "https://127.0.0.1:1",
			"tenant_id": cloudtest.AzureTenant, "client_id": cloudtest.AzureClient, "client_secret": "wrong-and-never-shown"}},
			func(c *cloudtest.Cloud) map[string]string {
				return map[string]string{"AZURE_AUTHORITY_HOST": c.Secure.URL}
			},
			[]string{artifact.ErrDenied.Error(), "the credentials were refused: invalid_client: AADSTS7000215: Invalid client secret provided.; check"}},
		"azure, away": {step.Store{URL: "az://c", Options: map[string]string{"account_name": "a", "endpoint": "https://127.0.0.1:1",
			"tenant_id": cloudtest.AzureTenant, "client_id": cloudtest.AzureClient, "client_secret": cloudtest.AzureSecret}},
			func(*cloudtest.Cloud) map[string]string {
				return map[string]string{"AZURE_AUTHORITY_HOST": "https://127.0.0.1:1"}
			},
			[]string{artifact.ErrUnavailable.Error(), "identity service is unavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := cloudtest.Start(t, cloudtest.Options{Deny: true})
			err := inProcess(t, cloud, c.cfg, c.env(cloud))
			for _, text := range c.want {
				if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "never-shown") || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want %q in it", err, text)
				}
			}
		})
	}
}
