// Package standard lists the built-in flavors and opens their components. It is the one place that knows them all.
package standard

import (
	"net"
	"path/filepath"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/orchestrator/local"
	"github.com/proa-ml/proa/stack"
)

// DefaultBase is the base image of steps when neither the pipeline nor the stack names one.
const DefaultBase = "python:{python}-slim"

// DefaultPlatform is the platform of images when neither the pipeline nor the stack names one.
const DefaultPlatform = "linux/amd64"

// BuiltIn returns the components of the built-in stack, which keep their data in the given folder.
func BuiltIn(dataDir string) []stack.Component {
	component := func(kind stack.Kind, name string, attributes map[string]string) stack.Component {
		return stack.Component{Kind: kind, Name: stack.DefaultName, Flavor: name, Attributes: attributes}
	}
	return []stack.Component{
		component(stack.Orchestrator, "local", nil),
		component(stack.ArtifactStore, "local", map[string]string{"path": filepath.Join(dataDir, "artifacts")}),
		component(stack.MetadataStore, "sqlite", map[string]string{"path": filepath.Join(dataDir, "metadata.db")}),
		component(stack.ImageBuilder, "oci", nil),
		component(stack.SecretsManager, "local", nil),
	}
}

// Contexts lists the contexts of the user's kubeconfig, and names its files and the active context.
type Contexts func() (files string, names []string, active string, err error)

// Catalogue returns the built-in flavors.
func Catalogue(contexts Contexts) flavor.Catalogue {
	return append(flavor.Catalogue{
		localOrchestrator(), kubernetesOrchestrator(contexts),
		localArtifacts(), s3Artifacts(), gcpArtifacts(), azureArtifacts(),
		sqliteMetadata(), mysqlMetadata(), kubernetesMetadata(contexts),
		ociBuilder(), dockerBuilder(), buildkitBuilder(contexts),
		localSecrets(), kubernetesSecrets(contexts),
	}, registries()...)
}

func localOrchestrator() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.Orchestrator, Name: "local",
		Meaning: "runs steps as processes on this machine",
		Attributes: []flavor.Attribute{
			{Name: "parallelism", Type: flavor.Int, Meaning: "how many steps may run at once; twice the number of CPUs if not given", Example: "4", Check: positive},
			{Name: "isolation", Type: flavor.Text, Scope: flavor.Step, Default: local.IsolationWarm, Example: local.IsolationProcess,
				Check:   oneOf(local.IsolationWarm, local.IsolationProcess),
				Meaning: "warm forks each step from a process that has imported its module, process starts a new one"},
			maxParallelism(), executionMode(),
		},
	}
}

// maxParallelism and executionMode are the engine's, so every orchestrator has them.
func maxParallelism() flavor.Attribute {
	return flavor.Attribute{Name: "max_parallelism", Type: flavor.Int, Scope: flavor.Run, Check: positive, Example: "10",
		Meaning: "how many steps of one run may be under way at once; no limit if not given"}
}

func executionMode() flavor.Attribute {
	return flavor.Attribute{Name: "execution_mode", Type: flavor.Text, Scope: flavor.Run, Default: "stop-on-failure", Check: mode, Example: "fail-fast",
		Meaning: "what a failed step does to the others: stop-on-failure lets running steps finish, fail-fast stops them, continue-on-failure runs all that don't depend on it"}
}

func localArtifacts() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ArtifactStore, Name: "local",
		Meaning: "a folder on this machine",
		Attributes: []flavor.Attribute{
			{Name: "path", Type: flavor.Text, Required: true, Meaning: "the absolute path of the folder; made if it is missing", Example: "/data/artifacts", Check: absolute},
		},
		Local: func(s flavor.Settings) string { return "path " + s["path"] },
	}
}

func s3Artifacts() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ArtifactStore, Name: "s3",
		Meaning: "a bucket of Amazon S3 or of any server that speaks its protocol",
		Attributes: []flavor.Attribute{
			{Name: "path", Type: flavor.Text, Required: true, Meaning: "the bucket, and a prefix within it", Example: "s3://bucket/prefix", Check: bucketURL("s3")},
			{Name: "endpoint", Aliases: []string{"endpoint_url"}, Type: flavor.Text, Meaning: "the server's URL; Amazon's if not given", Example: "https://s3.example.com", Check: httpURL},
			{Name: "region", Type: flavor.Text, Meaning: "the bucket's region", Example: "eu-central-1"},
			{Name: "key", Aliases: []string{"access_key_id"}, Type: flavor.Text, Meaning: "the access key's id; ambient credentials if not given", Example: "AKIA..."},
			{Name: "secret", Aliases: []string{"secret_access_key"}, Type: flavor.Text, Secret: true, Meaning: "the access key's secret", Example: "@secret.txt"},
			{Name: "token", Aliases: []string{"session_token"}, Type: flavor.Text, Secret: true, Meaning: "the session token of temporary credentials", Example: "@token.txt"},
			{Name: "path_style", Type: flavor.Bool, Meaning: "address the bucket in the path, not in the host name; most servers other than Amazon's want it"},
			{Name: "profile", Type: flavor.Text, Meaning: "a profile of the shared AWS config, instead of key and secret; only on this machine"},
		},
		Check: checkS3,
		Local: func(s flavor.Settings) string {
			if s["profile"] != "" {
				return "the profile " + s["profile"] + " of this machine's AWS configuration"
			}
			return localURL(s["endpoint"])
		},
	}
}

func sqliteMetadata() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.MetadataStore, Name: "sqlite",
		Meaning: "a database file on this machine",
		Attributes: []flavor.Attribute{
			{Name: "path", Aliases: []string{"uri"}, Type: flavor.Text, Required: true, Meaning: "the absolute path of the file; made if it is missing", Example: "/data/metadata.db", Check: absolute},
		},
		Local: func(s flavor.Settings) string { return "path " + s["path"] },
	}
}

func mysqlMetadata() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.MetadataStore, Name: "mysql",
		Meaning: "a MySQL or MariaDB server",
		Attributes: []flavor.Attribute{
			{Name: "host", Type: flavor.Text, Required: true, Meaning: "the server's host", Example: "db.example.com"},
			{Name: "port", Type: flavor.Int, Default: "3306", Meaning: "the server's port", Check: port},
			{Name: "database", Type: flavor.Text, Required: true, Meaning: "the database; made if it is missing and the user may", Example: "proa"},
			{Name: "username", Type: flavor.Text, Meaning: "the user; needed unless the secret has it", Example: "proa"},
			{Name: "password", Type: flavor.Text, Secret: true, Meaning: "the user's password", Example: "{{database.password}}"},
			{Name: "secret", Type: flavor.Secret, Keys: mysqlKeys(), Meaning: "a secret that has these attributes as its keys: user, password, ssl_ca, ssl_cert, ssl_key, ssl_verify_server_cert", Example: "database"},
			{Name: "ssl_ca", Type: flavor.Text, Meaning: "certificate of the authority to trust, as PEM; turns TLS on", Example: "@ca.pem", Check: pem},
			{Name: "ssl_cert", Type: flavor.Text, Meaning: "certificate of the client, as PEM", Example: "@client.pem", Check: pem},
			{Name: "ssl_key", Type: flavor.Text, Secret: true, Meaning: "private key of the client, as PEM", Example: "@client-key.pem", Check: pem},
			{Name: "ssl_verify_server_cert", Type: flavor.Bool, Default: "false", Meaning: "whether the server's certificate must be valid for its host"},
		},
		Check: checkMySQL,
		Local: func(s flavor.Settings) string { return localAddress(s["host"], net.JoinHostPort(s["host"], s["port"])) },
	}
}

// mysqlKeys are the keys that a secret for a database may have.
func mysqlKeys() map[string]string {
	keys := map[string]string{"user": "username"}
	for _, name := range []string{"username", "password", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_server_cert"} {
		keys[name] = name
	}
	return keys
}
