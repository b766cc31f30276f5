package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
)

// A Variable is one thing that tests are told.
type Variable struct {
	Name, Value string
}

// ErrDown means that the cluster has not been brought up.
var ErrDown = errors.New("there is no cluster; start one with: go run ./hack/cluster up")

// Env returns what tests need to know.
func (c *Cluster) Env() ([]Variable, error) {
	f, found, err := readFacts(c.state)
	if err != nil {
		return nil, err
	}
	if !found || !f.Complete {
		return nil, ErrDown
	}
	return c.variables(f), nil
}

func (c *Cluster) variables(f facts) []Variable {
	network := f.namespace(c.state)
	node := network.Node().String()
	return append(oracleVariables(f), []Variable{
		{"KUBECONFIG", c.state.path("kubeconfig")},
		{"PROA_TEST_CONTEXT", contextName},
		{"PROA_TEST_KUBECONFIG", c.state.path("kubeconfig")},
		{"PROA_TEST_KUBECTL", c.state.bin("kubectl")},
		{"PROA_TEST_REGISTRY", c.address(f, registryPort)},
		{"PROA_TEST_PARENT_IMAGE", c.pythonImage(f)},
		{"PROA_TEST_MARIADB_IMAGE", c.mariadbImage(f)},
		{"PROA_TEST_BUILDKIT_IMAGE", c.buildkitImage(f)},
		{"PROA_TEST_S3_ENDPOINT", "http://" + c.address(f, s3Port)},
		{"PROA_TEST_S3_BUCKET", bucketName},
		{"PROA_TEST_S3_REGION", regionName},
		{"PROA_TEST_S3_KEY", f.S3Key},
		{"PROA_TEST_S3_SECRET", f.S3Secret},
		{"PROA_TEST_GCS_ENDPOINT", "http://" + c.address(f, gcsPort)},
		{"PROA_TEST_GCS_BUCKET", bucketName},
		{"PROA_TEST_GCS_KEY_FILE", c.state.config("gcs.json")},
		{"PROA_TEST_AZURE_ENDPOINT", "http://" + c.address(f, azurePort)},
		{"PROA_TEST_AZURE_ACCOUNT", accountName},
		{"PROA_TEST_AZURE_KEY", f.AzureKey},
		{"PROA_TEST_AZURE_CONTAINER", bucketName},
		{"PROA_TEST_MYSQL_HOST", node},
		{"PROA_TEST_MYSQL_PORT", fmt.Sprint(mysqlPort)},
		{"PROA_TEST_MYSQL_USER", databaseUser},
		{"PROA_TEST_MYSQL_PASSWORD", f.MySQLPassword},
		{"PROA_TEST_MYSQL_DATABASE", databaseName},
		{"PROA_TEST_MYSQL_CA", c.state.pki("ca.crt")},
		{"PROA_TEST_DOCKER_HOST", "unix://" + c.state.dockerSocket()},
		{"PROA_TEST_HOST", network.Host().String()},
		{"PROA_TEST_NODE_REGISTRIES", c.state.config("registries")},
		{"PROA_CLUSTER_DIR", string(c.state)},
	}...)
}

// Shell renders variables as lines that a shell can evaluate.
func Shell(variables []Variable) []byte {
	var lines bytes.Buffer
	for _, v := range variables {
		fmt.Fprintf(&lines, "export %s=%s\n", v.Name, quote(v.Value))
	}
	return lines.Bytes()
}

// quote makes a value one word of a shell.
func quote(value string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@,+%="
	if value != "" && strings.Trim(value, plain) == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// JSON renders variables as one JSON object.
func JSON(variables []Variable) ([]byte, error) {
	values := map[string]string{}
	for _, v := range variables {
		values[v.Name] = v.Value
	}
	content, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the environment: %w", err)
	}
	return append(content, '\n'), nil
}

func (c *Cluster) writeEnv(f facts) error {
	return file.Write(c.state.env(), Shell(c.variables(f)), 0o600)
}

// EnvFile is the path of the file that up writes the environment to.
func (c *Cluster) EnvFile() string { return c.state.env() }
