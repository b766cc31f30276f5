package cluster

import (
	"fmt"
	"os"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
	"github.com/proa-ml/proa/hack/cluster/internal/kube"
	"github.com/proa-ml/proa/hack/cluster/internal/pki"
)

// subjects are the parties of the cluster by the name of their files. Each is who upstream's own roles expect.
func subjects(node string) map[string]pki.Subject {
	return map[string]pki.Subject{
		"apiserver": {Name: "kube-apiserver", Groups: []string{"system:masters"}, Hosts: []string{node, apiService, "127.0.0.1", "localhost",
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		"kubelet":            {Name: "system:node:" + nodeName, Groups: []string{"system:nodes"}, Hosts: []string{node, nodeName}},
		"mysql":              {Name: "mysql", Hosts: []string{node, "localhost"}},
		"admin":              {Name: "proa-admin", Groups: []string{"system:masters"}},
		"controller-manager": {Name: "system:kube-controller-manager"},
		"scheduler":          {Name: "system:kube-scheduler"},
		"proxy":              {Name: "system:kube-proxy"},
		"dns":                {Name: dnsUser},
	}
}

// clients are the subjects that have a kubeconfig.
func clients() []string {
	return []string{"kubelet", "controller-manager", "scheduler", "proxy", "dns"}
}

// writeCertificates makes the keys, the certificates and the kubeconfigs for an address of the node, unless they are there.
func (c *Cluster) writeCertificates(f facts) error {
	node := f.namespace(c.state).Node().String()
	if made, err := os.ReadFile(c.state.pki("node")); err == nil && string(made) == node {
		return nil
	}
	authority, err := pki.New("proa test cluster", c.now())
	if err != nil {
		return err
	}
	tokens, err := pki.SigningKey()
	if err != nil {
		return err
	}
	pairs := map[string]pki.Pair{"ca": authority.Pair, "tokens": tokens}
	for name, subject := range subjects(node) {
		if pairs[name], err = authority.Issue(subject); err != nil {
			return err
		}
	}
	for name, pair := range pairs {
		if err := file.Write(c.state.pki(name+".crt"), pair.Certificate, 0o644); err != nil {
			return err
		}
		if err := file.Write(c.state.pki(name+".key"), pair.Key, 0o600); err != nil {
			return err
		}
	}
	for _, name := range clients() {
		content := kube.Config(name, apiURL(f, c.state), authority.Certificate, pairs[name])
		if err := file.Write(c.state.kubeconfig(name), content, 0o600); err != nil {
			return err
		}
	}
	if err := file.Write(c.state.path("kubeconfig"), kube.Config(contextName, apiURL(f, c.state), authority.Certificate, pairs["admin"]), 0o600); err != nil {
		return err
	}
	// Written last: with it, all of the others are there and belong together.
	return file.Write(c.state.pki("node"), []byte(node), 0o644)
}

// client returns a client with the administrator's rights.
func (c *Cluster) client(f facts) (*kube.Client, error) {
	authority, err := os.ReadFile(c.state.pki("ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	certificate, err := os.ReadFile(c.state.pki("admin.crt"))
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	key, err := os.ReadFile(c.state.pki("admin.key"))
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's key: %w", err)
	}
	return kube.NewClient(apiURL(f, c.state), authority, pki.Pair{Certificate: certificate, Key: key})
}

func apiURL(f facts, state layout) string {
	return fmt.Sprintf("https://%s:%d", f.namespace(state).Node(), apiPort)
}
