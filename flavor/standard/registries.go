package standard

import (
	"fmt"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/stack"
)

// registries returns the flavors of container registries. They all speak one protocol; those of the big hosts know where
// they are, so that a mistyped address is found at registration.
func registries() flavor.Catalogue {
	all := flavor.Catalogue{registry("default", "any registry that speaks the OCI distribution protocol", "registry.example.com/team")}
	for _, host := range []struct{ name, meaning, example, domain string }{
		{"dockerhub", "Docker Hub", "docker.io/team", "docker.io"},
		{"aws", "Amazon Elastic Container Registry", "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "amazonaws.com"},
		{"gcp", "Google's Artifact Registry", "europe-west3-docker.pkg.dev/project/repository", "pkg.dev or gcr.io"},
		{"azure", "Azure Container Registry", "team.azurecr.io", "azurecr.io"},
		{"github", "GitHub's container registry", "ghcr.io/team", "ghcr.io"},
	} {
		f := registry(host.name, host.meaning, host.example)
		f.Attributes[0].Check = hostedOn(host.domain)
		all = append(all, f)
	}
	return all
}

func registry(name, meaning, example string) flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ContainerRegistry, Name: name, Meaning: meaning,
		Attributes: []flavor.Attribute{
			{Name: "uri", Type: flavor.Text, Required: true, Meaning: "the registry's host, and a path within it", Example: example, Check: registryURI},
			{Name: "username", Type: flavor.Text, Meaning: "the user; the Docker config's login if not given", Example: "proa"},
			{Name: "password", Type: flavor.Text, Secret: true, Meaning: "the user's password or token", Example: "@password.txt"},
			{Name: "insecure", Type: flavor.Bool, Default: "false", Meaning: "speak plain HTTP; a registry on localhost does without being told"},
		},
		Check: checkRegistry,
		Local: func(s flavor.Settings) string { return localURL("//" + s["uri"]) },
	}
}

// hostedOn checks that a registry is in one of the domains, which are separated by " or ".
func hostedOn(domains string) func(string) error {
	return func(value string) error {
		if err := registryURI(value); err != nil {
			return err
		}
		host, _, _ := strings.Cut(value, "/")
		for _, domain := range strings.Split(domains, " or ") {
			if host == domain || strings.HasSuffix(host, "."+domain) {
				return nil
			}
		}
		return fmt.Errorf("its host must be on %s (the flavor default takes any)", domains)
	}
}
