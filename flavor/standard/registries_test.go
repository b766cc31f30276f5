package standard

import (
	"strings"
	"testing"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/stack"
)

func TestRegistryURIs(t *testing.T) {
	catalogue := Catalogue(nil)
	for name, uris := range map[string]struct{ good, bad []string }{
		"default":   {[]string{"localhost:5000", "registry.example.com/team", "10.0.0.1:5000"}, []string{"", "https://host", "host name", "ada@host"}},
		"dockerhub": {[]string{"docker.io/ada", "index.docker.io/ada"}, []string{"docker.io", "docker.io/ada/deep", "ghcr.io/ada", "ada"}},
		"gcp":       {[]string{"europe-docker.pkg.dev/project/images", "eu.gcr.io/project", "gcr.io/project/team"}, []string{"europe-docker.pkg.dev/project", "gcr.io", "pkg.dev/a/b"}},
		"aws":       {[]string{"123456789012.dkr.ecr.eu-central-1.amazonaws.com", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team"}, []string{"12.dkr.ecr.eu-central-1.amazonaws.com", "amazonaws.com"}},
		"azure":     {[]string{"team.azurecr.io", "team.azurecr.io/images"}, []string{"azurecr.io", "team.azure.com"}},
		"github":    {[]string{"ghcr.io/ada", "ghcr.io/ada/images"}, []string{"ghcr.io", "ghcr.io/Ada", "github.com/ada"}},
	} {
		f, err := catalogue.Find(stack.ContainerRegistry, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, uri := range uris.good {
			if _, err := f.Settings(map[string]string{"uri": uri}); err != nil {
				t.Errorf("%s refuses %q: %v", name, uri, err)
			}
		}
		for _, uri := range uris.bad {
			if _, err := f.Settings(map[string]string{"uri": uri}); err == nil {
				t.Errorf("%s takes %q", name, uri)
			}
		}
	}
}

func TestRegistryAttributes(t *testing.T) {
	f, err := Catalogue(nil).Find(stack.ContainerRegistry, "default")
	if err != nil {
		t.Fatal(err)
	}
	for want, attributes := range map[string]flavor.Settings{
		"exclude each other": {"uri": "host", "ca": "-----BEGIN CERTIFICATE-----", "insecure": "true"},
		"is missing":         {"uri": "host", "username": "ada"},
		"PEM":                {"uri": "host", "ca": "/etc/ca.pem"},
	} {
		if _, err := f.Settings(attributes); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want it to say %q", attributes, err, want)
		}
	}
}
