package artifact_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/step"
)

// environment returns what the environment says of a server, or skips the test where it may be.
func environment(t *testing.T, names ...string) []string {
	t.Helper()
	var values []string
	for _, name := range names {
		value := os.Getenv(name)
		if value == "" {
			testbed.Missing(t, "%s is not set; `go run ./hack/cluster env` prints it", name)
		}
		values = append(values, value)
	}
	return values
}

// gcsConfig is a store on the emulator. It differs from the real service in this: a status query of a resumable upload ends
// the upload, so broken uploads are tested in package gcs; and its tokens are good for every bucket.
func gcsConfig(t *testing.T) step.Store {
	t.Helper()
	env := environment(t, "PROA_TEST_GCS_ENDPOINT", "PROA_TEST_GCS_BUCKET", "PROA_TEST_GCS_KEY_FILE")
	key, err := os.ReadFile(env[2])
	if err != nil {
		t.Fatal(err)
	}
	return step.Store{URL: "gs://" + env[1] + "/artifact-test/" + rand.Text(), Options: map[string]string{"endpoint": env[0], "service_account_key": string(key)}}
}

// azureConfig is a store on Azurite. It differs from the real service in this: it tells an unknown account by 400 or 404, where
// the real one has no such host.
func azureConfig(t *testing.T) step.Store {
	t.Helper()
	env := environment(t, "PROA_TEST_AZURE_ENDPOINT", "PROA_TEST_AZURE_CONTAINER", "PROA_TEST_AZURE_ACCOUNT", "PROA_TEST_AZURE_KEY")
	return step.Store{URL: "az://" + env[1] + "/artifact-test/" + rand.Text(), Options: map[string]string{"endpoint": env[0], "account_name": env[2], "account_key": env[3]}}
}

func TestGCS(t *testing.T) {
	gcsConfig(t)
	conformance(t, gcsConfig)
	testRefusals(t, gcsConfig(t), map[string]refusal{
		"no bucket": {func(cfg *step.Store) { cfg.URL = "gs://no-such-bucket-" + strings.ToLower(rand.Text()) }, artifact.ErrNoBucket, "create the bucket"},
		"another key": {func(cfg *step.Store) {
			cfg.Options["service_account_key"] = otherKey(t, cfg.Options["service_account_key"])
		}, artifact.ErrDenied, "invalid_grant: Invalid JWT Signature.; check the store's service_account_key"},
		"no key":    {func(cfg *step.Store) { delete(cfg.Options, "service_account_key") }, artifact.ErrDenied, "check the store's service_account_key"},
		"no server": {func(cfg *step.Store) { cfg.Options["endpoint"] = "http://127.0.0.1:1" }, artifact.ErrUnavailable, "check that the endpoint"},
		"not https": {func(cfg *step.Store) {
			cfg.Options["endpoint"] = "https" + strings.TrimPrefix(cfg.Options["endpoint"], "http")
		}, nil, "whether the endpoint is http:// or https://"},
	})
}

func TestAzure(t *testing.T) {
	azureConfig(t)
	conformance(t, azureConfig)
	wrong := base64.StdEncoding.EncodeToString([]byte("a key of the wrong account"))
	testRefusals(t, azureConfig(t), map[string]refusal{
		"no container": {func(cfg *step.Store) { cfg.URL = "az://no-such-container-" + strings.ToLower(rand.Text()) }, artifact.ErrNoBucket, "create the container"},
		"another key":  {func(cfg *step.Store) { cfg.Options["account_key"] = wrong }, artifact.ErrDenied, "check the store's account_name"},
		"old token":    {func(cfg *step.Store) { useToken(cfg, sas(cfg, time.Now().Add(-time.Hour), "racwdl")) }, artifact.ErrDenied, "check the store's account_name"},
		"weak token":   {func(cfg *step.Store) { useToken(cfg, sas(cfg, time.Now().Add(time.Hour), "l")) }, artifact.ErrDenied, "may read, write, list and delete"},
		"no server":    {func(cfg *step.Store) { cfg.Options["endpoint"] = "http://127.0.0.1:1" }, artifact.ErrUnavailable, "check that the endpoint"},
		"not https": {func(cfg *step.Store) {
			cfg.Options["endpoint"] = "https" + strings.TrimPrefix(cfg.Options["endpoint"], "http")
		}, nil, "whether the endpoint is http:// or https://"},
	})
}

// TestAzureCredentials opens the same store in every way that there is but the machine's own.
func TestAzureCredentials(t *testing.T) {
	cfg := azureConfig(t)
	put(t, openStore(t, cfg), "key", "value")
	defer clear(t, cfg)
	account, key, endpoint := cfg.Options["account_name"], cfg.Options["account_key"], cfg.Options["endpoint"]
	container, prefix, _ := strings.Cut(strings.TrimPrefix(cfg.URL, "az://"), "/")
	for _, scheme := range []string{"abfs", "abfss", "wasbs"} {
		s := openStore(t, step.Store{URL: scheme + "://" + container + "@" + account + ".dfs.core.windows.net/" + prefix,
			Options: map[string]string{"endpoint": endpoint, "account_key": key}})
		wantObject(t, s, "key", "value")
	}
	for name, options := range map[string]map[string]string{
		"SAS token":               {"account_name": account, "endpoint": endpoint, "sas_token": sas(&cfg, time.Now().Add(time.Hour), "racwdl")},
		"SAS token with a ?":      {"account_name": account, "endpoint": endpoint, "sas_token": "?" + sas(&cfg, time.Now().Add(time.Hour), "racwdl")},
		"connection string":       {"connection_string": fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s/%s", account, key, endpoint, account)},
		"endpoint with a account": {"account_name": account, "account_key": key, "endpoint": endpoint + "/" + account},
	} {
		for _, scheme := range []string{"az", "abfs", "azblob"} {
			s := openStore(t, step.Store{URL: scheme + strings.TrimPrefix(cfg.URL, "az"), Options: options})
			wantObject(t, s, "key", "value")
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestLostReplyOfClouds has a server's reply to a creation get lost, after which the request is sent again.
func TestLostReplyOfClouds(t *testing.T) {
	for name, config := range map[string]func(*testing.T) step.Store{"gcs": gcsConfig, "azure": azureConfig} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			defer clear(t, step.Store{URL: cfg.URL, Options: maps.Clone(cfg.Options)})
			var losing, lost atomic.Bool
			cfg.Options["endpoint"] = startLossy(t, cfg.Options["endpoint"], func(r *http.Request) bool {
				return losing.Load() && r.Method != http.MethodGet && r.Method != http.MethodHead && !lost.Swap(true)
			})
			s := openStore(t, cfg)
			losing.Store(true)
			created, err := s.PutNew(t.Context(), "outcome", []byte("mine"))
			if err != nil || !created || !lost.Load() {
				t.Errorf("after a lost reply (%v): created is %v, error %v", lost.Load(), created, err)
			}
			if created, err := s.PutNew(t.Context(), "outcome", []byte("other")); err != nil || created {
				t.Errorf("afterwards: created is %v, error %v", created, err)
			}
			wantObject(t, s, "outcome", "mine")
		})
	}
}

// startLossy starts a way to a server on which the replies to some requests get lost.
func startLossy(t *testing.T, endpoint string, lose func(*http.Request) bool) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !lose(r) {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestNotACloud has an endpoint that answers, and is something else. Nothing may be believed to be absent because of it.
func TestNotACloud(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	for service, cfg := range map[string]step.Store{
		"Google Cloud Storage's": {URL: "gs://bucket", Options: map[string]string{"endpoint": server.URL}},
		"Azure Blob Storage's":   {URL: "az://container", Options: map[string]string{"endpoint": server.URL, "account_name": "a", "account_key": "a2V5"}},
	} {
		s := openStore(t, cfg)
		_, get := s.Get(t.Context(), "key")
		_, list := s.List(t.Context(), "")
		_, exists := s.Exists(t.Context(), "sha256:"+strings.Repeat("0", 64))
		check := s.Check(t.Context())
		for what, err := range map[string]error{"Get": get, "List": list, "Exists": exists, "Check": check} {
			if err == nil || errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrNoBucket) {
				t.Errorf("%s: %s: got %v, want an error other than ErrNotFound", service, what, err)
			}
		}
		if !strings.Contains(fmt.Sprint(check), "the endpoint is "+service) {
			t.Errorf("Check: got %v", check)
		}
	}
}

// TestNoCloudCredentials has neither the options nor the machine hold any.
func TestNoCloudCredentials(t *testing.T) {
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "CLOUDSDK_CONFIG": home, "GOOGLE_APPLICATION_CREDENTIALS": "", "NO_GCE_CHECK": "true",
		"AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential", "AZURE_CLIENT_ID": "", "AZURE_TENANT_ID": "", "AZURE_FEDERATED_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	for remedy, cfg := range map[string]step.Store{
		"check the store's service_account_key": {URL: "gs://bucket", Options: map[string]string{"endpoint": server.URL}},
		"check the store's account_name":        {URL: "az://container", Options: map[string]string{"endpoint": server.URL, "account_name": "account"}},
	} {
		err := openStore(t, cfg).Check(t.Context())
		if !errors.Is(err, artifact.ErrDenied) || !strings.Contains(err.Error(), "no credentials were found; "+remedy) {
			t.Errorf("%s: got %v, want ErrDenied", cfg.URL, err)
		}
	}
}

func TestCloudMistakes(t *testing.T) {
	const key = "secret-never-shown"
	for what, cfg := range map[string]step.Store{
		"not the content of a key file":       {URL: "gs://b", Options: map[string]string{"service_account_key": key}},
		"have GOOGLE_APPLICATION_CREDENTIALS": {URL: "gs://b", Options: map[string]string{"service_account_key": `{"type": "external_account", "x": "` + key + `"}`}},
		`type "gdch_service_account"`:         {URL: "gs://b", Options: map[string]string{"service_account_key": `{"type": "gdch_service_account", "x": "` + key + `"}`}},
		"looks like https":                    {URL: "gs://b", Options: map[string]string{"endpoint": "host:4443"}},
		"unknown option":                      {URL: "gs://b", Options: map[string]string{"account_key": key}},
		"names no bucket":                     {URL: "gs:///prefix"},
		"account_name is missing":             {URL: "az://c", Options: map[string]string{"account_key": key}},
		"not a storage account's key":         {URL: "az://c", Options: map[string]string{"account_name": "a", "account_key": key}},
		"sas_token exclude each other":        {URL: "az://c", Options: map[string]string{"account_name": "a", "account_key": "a2V5", "sas_token": "x"}},
		"give all or none":                    {URL: "az://c", Options: map[string]string{"account_name": "a", "client_secret": key}},
		"not the host of a storage":           {URL: "abfs://c@host/x"},
		"must not hold a password":            {URL: "abfs://c:" + key + "@a.dfs.core.windows.net/x"},
		"and the option account_name":         {URL: "abfs://c@a.dfs.core.windows.net/x", Options: map[string]string{"account_name": "b"}},
		"the others exclude it":               {URL: "az://c", Options: map[string]string{"account_name": "a", "connection_string": key}},
		"not one of a storage account":        {URL: "az://c", Options: map[string]string{"connection_string": key}},
		"give the options account_key or s":   {URL: "az://c", Options: map[string]string{"account_name": "a", "endpoint": "https://h/?sig=" + key}},
	} {
		_, err := artifact.Open(t.Context(), cfg, nil)
		if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), key) {
			t.Errorf("got %v, want an error with %q", err, what)
		}
	}
}
