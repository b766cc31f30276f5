package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/azure"
)

// addSecrets decides the secrets of the storage emulators, which a cluster that is older than they does not have.
func (f *facts) addSecrets() error {
	if f.AzureKey == "" {
		f.AzureKey = base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text()))
	}
	if f.GCSKey != "" {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making the service account's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the service account's key: %w", err)
	}
	f.GCSKey = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return nil
}

// accountFile is what clients of Google Cloud Storage are given: the key of a service account, and where it is good for a token.
func (c *Cluster) accountFile(f facts) (string, error) {
	content, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": "proa-test", "private_key_id": f.ID, "private_key": f.GCSKey,
		"client_email": "proa@proa-test.iam.gserviceaccount.com", "token_uri": "http://" + c.address(f, gcsPort) + "/token",
	}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding the service account's key: %w", err)
	}
	return string(content) + "\n", nil
}

func (c *Cluster) gcsReady(ctx context.Context, f facts) error {
	return answers(ctx, "http://"+c.address(f, gcsPort)+"/_internal/healthcheck")
}

// azureReady makes the container, too: there is no cheaper way to ask the server whether it is well.
func (c *Cluster) azureReady(ctx context.Context, f facts) error {
	server := azure.Server{Endpoint: "http://" + c.address(f, azurePort), Account: accountName, Key: f.AzureKey}
	return server.CreateContainer(ctx, &http.Client{Timeout: 30 * time.Second}, bucketName, c.now())
}
