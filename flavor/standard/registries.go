package standard

import (
	"errors"
	"regexp"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/stack"
)

// registries returns the flavors of container registries. They all speak one protocol; those that are somebody's service know
// where they are, so that a mistyped address is found at registration.
func registries() flavor.Catalogue {
	return flavor.Catalogue{defaultRegistry(), dockerhubRegistry(), gcpRegistry(), awsRegistry(), azureRegistry(), githubRegistry()}
}

func defaultRegistry() flavor.Flavor {
	f := registry("default", "any registry that speaks the OCI distribution protocol", "registry.example.com/team", registryURI)
	f.Attributes = append(f.Attributes,
		flavor.Attribute{Name: "insecure", Type: flavor.Bool, Default: "false", Meaning: "speak plain HTTP; a registry on localhost does without being told"},
		flavor.Attribute{Name: "ca", Aliases: []string{"ca_cert", "certificate"}, Type: flavor.Text, Check: pem, Example: "@ca.pem",
			Meaning: "certificate of an authority of your own that the registry's certificate is from, as PEM; the cluster's nodes have to trust it, too"})
	return f
}

// registry is what registries have in common.
func registry(name, meaning, uri string, check func(string) error) flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ContainerRegistry, Name: name, Meaning: meaning,
		Attributes: []flavor.Attribute{
			{Name: "uri", Type: flavor.Text, Required: true, Meaning: "the registry's host, and a path within it", Example: uri, Check: check},
			{Name: "username", Type: flavor.Text, Meaning: "the user; if not given, the Docker config's login, also by its helpers, and then the machine's own at the registry's cloud", Example: "proa"},
			{Name: "password", Type: flavor.Text, Secret: true, Meaning: "the user's password or token", Example: "@password.txt"},
		},
		Check: checkRegistry,
		Local: func(s flavor.Settings) string { return localURL("//" + s["uri"]) },
	}
}

func dockerhubRegistry() flavor.Flavor {
	return registry("dockerhub", "Docker Hub", "docker.io/account",
		hosted(`^(index\.)?docker\.io/[^/]+$`, "docker.io/ACCOUNT: Docker Hub has accounts, and no folders below them"))
}

func gcpRegistry() flavor.Flavor {
	return registry("gcp", "Google's Artifact Registry, or its older Container Registry", "europe-docker.pkg.dev/project/repository",
		hosted(`^([a-z0-9-]+-docker\.pkg\.dev/[^/]+/[^/]+|([a-z]+\.)?gcr\.io/[^/]+)(/.+)?$`,
			"LOCATION-docker.pkg.dev/PROJECT/REPOSITORY, or gcr.io/PROJECT"))
}

func awsRegistry() flavor.Flavor {
	return registry("aws", "Amazon's Elastic Container Registry; the repository URI/proa is made if it is missing and the credentials allow it",
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		hosted(`^[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?(/.+)?$`, "ACCOUNT.dkr.ecr.REGION.amazonaws.com"))
}

func azureRegistry() flavor.Flavor {
	return registry("azure", "Azure's Container Registry", "name.azurecr.io",
		hosted(`^[a-z0-9-]+\.azurecr\.(io|cn|us)(/.+)?$`, "NAME.azurecr.io"))
}

func githubRegistry() flavor.Flavor {
	return registry("github", "GitHub's container registry; the password is a token that may write packages, that of GITHUB_TOKEN if not given", "ghcr.io/owner",
		hosted(`^ghcr\.io/[a-z0-9-]+(/.+)?$`, "ghcr.io/OWNER, in lower case"))
}

// hosted checks the URI of a registry that is somebody's service.
func hosted(pattern, want string) func(string) error {
	expression := regexp.MustCompile(pattern)
	return func(value string) error {
		if err := registryURI(value); err != nil {
			return err
		}
		if !expression.MatchString(value) {
			return errors.New("it must be " + want + "; for a registry elsewhere take the flavor default")
		}
		return nil
	}
}

func registryURI(value string) error {
	switch {
	case strings.Contains(value, "://"):
		return errors.New("it must be without http:// or https:// (insecure=true turns plain HTTP on)")
	case value == "" || strings.ContainsAny(value, " @?#") || strings.HasPrefix(value, "/"):
		return errors.New("it must be a host, with a port or a path if need be")
	}
	return nil
}

func checkRegistry(s flavor.Settings) error {
	if (s["username"] == "") != (s["password"] == "") {
		return stack.Mistake("give both --username and --password, or neither for the Docker config's login", "one of the attributes \"username\" and \"password\" is missing")
	}
	if s["ca"] != "" && s.Bool("insecure") {
		return stack.Mistake("give only one of them", "the attributes \"ca\" and \"insecure\" exclude each other: plain HTTP has no certificates")
	}
	return nil
}
