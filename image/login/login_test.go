package login_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/login"
	"github.com/proa-ml/proa/internal/ambient/cloudtest"
)

// TestClouds pushes to each cloud's registry with the machine's credentials there, and reads what nodes are given.
func TestClouds(t *testing.T) {
	for name, c := range map[string]struct {
		host, user, asked string
		env               func(w *world) map[string]string
	}{
		"amazon": {cloudtest.AmazonRegistry, "AWS", "GetAuthorizationToken CreateRepository", amazonKeys},
		"google": {googleRegistry, "oauth2accesstoken", "urn:ietf:params:oauth:grant-type:jwt-bearer registry urn:ietf:params:oauth:grant-type:jwt-bearer", func(w *world) map[string]string {
			return map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": w.GoogleFile("service_account")}
		}},
		"azure": {cloudtest.AzureRegistry, "00000000-0000-0000-0000-000000000000", "principal exchange registry", func(w *world) map[string]string {
			return map[string]string{"AZURE_AUTHORITY_HOST": w.Secure.URL, "AZURE_TENANT_ID": cloudtest.AzureTenant,
				"AZURE_CLIENT_ID": cloudtest.AzureClient, "AZURE_CLIENT_SECRET": cloudtest.AzureSecret}
		}},
		"github": {github, "ada", "given registry", func(w *world) map[string]string {
			return map[string]string{"GITHUB_TOKEN": w.Give(), "GITHUB_ACTOR": "ada"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cloudtest.Options{})
			for name, value := range c.env(w) {
				t.Setenv(name, value)
			}
			b := w.builder(t)
			built, err := w.push(t, b, c.host, name)
			if err != nil {
				t.Fatal(err)
			}
			if digest, found, err := b.Find(t.Context(), built.Ref, w.repository(c.host)); err != nil || !found || !strings.HasSuffix(built.Ref, digest) {
				t.Errorf("the registry has %q (%v, %v), want %s", digest, found, err, built.Ref)
			}
			config, err := b.PullConfig(t.Context(), w.repository(c.host))
			if err != nil {
				t.Fatal(err)
			}
			w.wantLogin(t, config, c.host, c.user)
			if expires := c.host != github; expires == config.Until.IsZero() {
				t.Errorf("what nodes are given ends at %v", config.Until)
			}
			if got := strings.Join(slices.Compact(w.Asked()), " "); got != c.asked {
				t.Errorf("the cloud was asked for %q, want %q", got, c.asked)
			}
		})
	}
}

// wantLogin checks that a Docker configuration has one login, which is good.
func (w *world) wantLogin(t *testing.T, config driver.PullConfig, host, user string) {
	t.Helper()
	var file struct {
		Auths map[string]struct{ Username, Password, Auth string }
	}
	if err := json.Unmarshal(config.Data, &file); err != nil {
		t.Fatal(err)
	}
	entry := file.Auths[host]
	auth, err := base64.StdEncoding.DecodeString(entry.Auth)
	if err != nil || len(file.Auths) != 1 || entry.Username != user || string(auth) != user+":"+entry.Password || !w.Good(entry.Password) {
		t.Errorf("nodes are given %+v (%v), want a good login of %s", file.Auths, err, user)
	}
}

// TestRenewed has a login end in the middle of a push, as one of twelve hours does in the end.
func TestRenewed(t *testing.T) {
	w := newWorld(t, cloudtest.Options{Lifetime: 12 * time.Hour})
	t.Setenv("AWS_ACCESS_KEY_ID", w.Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", w.Secret)
	b := w.builder(t)
	if _, err := w.push(t, b, cloudtest.AmazonRegistry, "first"); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.hook = func(r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.clock = w.clock.Add(12*time.Hour - 2*time.Minute)
		w.hook = nil
	}
	w.mu.Unlock()
	if _, err := w.push(t, b, cloudtest.AmazonRegistry, "second"); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.seen)
	if logins := slices.Compact(w.seen); len(logins) != 2 {
		t.Errorf("%d logins were used, want a new one after the first was about to end", len(logins))
	}
}

// TestOldDockerLogin has the Docker configuration hold what `aws ecr get-login-password` gave yesterday.
func TestOldDockerLogin(t *testing.T) {
	w := newWorld(t, cloudtest.Options{})
	t.Setenv("AWS_ACCESS_KEY_ID", w.Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", w.Secret)
	w.dockerLogin(t)
	b := w.builder(t)
	if _, err := w.push(t, b, cloudtest.AmazonRegistry, "x"); err != nil {
		t.Fatal(err)
	}
	config, err := b.PullConfig(t.Context(), w.repository(cloudtest.AmazonRegistry))
	if err != nil {
		t.Fatal(err)
	}
	w.wantLogin(t, config, cloudtest.AmazonRegistry, "AWS")
}

// TestOldDockerLoginOnly has the machine have nothing else.
func TestOldDockerLoginOnly(t *testing.T) {
	w := newWorld(t, cloudtest.Options{})
	w.dockerLogin(t)
	_, err := w.push(t, w.builder(t), cloudtest.AmazonRegistry, "x")
	if !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "docker login "+cloudtest.AmazonRegistry) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want ErrRefused, and how to log in", err)
	}
}

// TestRefusals has clouds give no login, or not the right to do what is needed.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		host string
		env  func(w *world) map[string]string
		deny cloudtest.Options
		kind error
		want []string
	}{
		"amazon, nothing": {cloudtest.AmazonRegistry, nil, cloudtest.Options{}, driver.ErrRefused, []string{"no credentials were found", "aws ecr get-login-password --region eu-central-1 | docker login"}},
		"amazon, wrong key": {cloudtest.AmazonRegistry, func(*world) map[string]string {
			return map[string]string{"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "never-shown"}
		}, cloudtest.Options{}, driver.ErrRefused, []string{"the credentials were refused: UnrecognizedClientException: The security token included in the request is invalid."}},
		"amazon, no login":      {cloudtest.AmazonRegistry, amazonKeys, cloudtest.Options{Deny: true}, driver.ErrRefused, []string{"not authorized to perform: ecr:GetAuthorizationToken"}},
		"amazon, no repository": {cloudtest.AmazonRegistry, amazonKeys, cloudtest.Options{NoCreate: true}, driver.ErrRefused, []string{"does not exist", "not authorized to perform: ecr:CreateRepository", "aws ecr create-repository --region eu-central-1 --repository-name login-test-"}},
		"amazon, away": {cloudtest.AmazonRegistry, func(w *world) map[string]string {
			return map[string]string{"AWS_ACCESS_KEY_ID": w.Key, "AWS_SECRET_ACCESS_KEY": w.Secret, "AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:1"}
		}, cloudtest.Options{}, driver.ErrUnavailable, []string{"identity service is unavailable"}},
		"google, no file": {googleRegistry, func(*world) map[string]string {
			return map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/no/such/file"}
		}, cloudtest.Options{}, driver.ErrRefused, []string{"no credentials were found", "gcloud auth configure-docker " + googleRegistry}},
		"azure, wrong secret": {cloudtest.AzureRegistry, func(w *world) map[string]string {
			return map[string]string{"AZURE_AUTHORITY_HOST": w.Secure.URL, "AZURE_TENANT_ID": cloudtest.AzureTenant,
				"AZURE_CLIENT_ID": cloudtest.AzureClient, "AZURE_CLIENT_SECRET": "never-shown"}
		}, cloudtest.Options{}, driver.ErrRefused, []string{"AADSTS7000215: Invalid client secret provided.", "az acr login --name team"}},
		"github, nothing": {github, func(*world) map[string]string { return map[string]string{"GITHUB_TOKEN": "", "GH_TOKEN": ""} }, cloudtest.Options{}, driver.ErrRefused,
			[]string{"set GITHUB_TOKEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.deny)
			if c.env != nil {
				for name, value := range c.env(w) {
					t.Setenv(name, value)
				}
			}
			_, err := w.push(t, w.builder(t), c.host, "x")
			if !errors.Is(err, c.kind) || strings.Contains(err.Error(), "never-shown") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %v", err, c.kind)
			}
			for _, text := range c.want {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("got %v, want %q in it", err, text)
				}
			}
		})
	}
}

func amazonKeys(w *world) map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": w.Key, "AWS_SECRET_ACCESS_KEY": w.Secret}
}

// TestOthers has registries that belong to none of the clouds.
func TestOthers(t *testing.T) {
	clouds := login.New(nil)
	for _, host := range []string{"localhost:5000", "index.docker.io", "azurecr.io.example.com", "12.dkr.ecr.eu-central-1.amazonaws.com", "gcr.io.example.com"} {
		if got := clouds.Credentials(host, true); got != nil {
			t.Errorf("%s is taken for a cloud's", host)
		}
	}
	var _ authn.Authenticator = clouds.Credentials(github, true)
}
