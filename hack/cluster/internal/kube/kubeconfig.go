package kube

import (
	"encoding/base64"
	"fmt"

	"github.com/proa-ml/proa/hack/cluster/internal/pki"
)

// Config returns a kubeconfig of one context, which needs no other file.
func Config(name, server string, authority []byte, identity pki.Pair) []byte {
	base64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[1]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[1]s}
current-context: %[1]s
`, name, server, base64(authority), base64(identity.Certificate), base64(identity.Key))
}
