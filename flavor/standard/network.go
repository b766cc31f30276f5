package standard

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/orchestrator/kubernetes"
	"github.com/proa-ml/proa/stack"
)

var _ flavor.NetworkOpener = Opener{}

// NetworkPolicies implements flavor.NetworkOpener.
func (o Opener) NetworkPolicies(ctx context.Context, s stack.Resolved) (string, error) {
	remote, err := o.Remote(o.Catalogue.Place(s))
	if err != nil {
		return "", err
	}
	var network kubernetes.Network
	c, settings, err := o.plain(s, stack.ArtifactStore)
	if err != nil {
		return "", err
	}
	network.Artifacts = artifactServer(c.Flavor, settings)
	if c, settings, err = o.plain(s, stack.MetadataStore); err != nil {
		return "", err
	}
	if network.Metadata, err = o.metadataServer(c, settings); err != nil {
		return "", err
	}
	return remote.(cluster).Client.NetworkPolicies(ctx, network)
}

// artifactServer says where an artifact store is, as far as its plain attributes do; none for one that is no server.
func artifactServer(name string, s flavor.Settings) kubernetes.Server {
	usual := map[string]string{
		"s3":    "https://" + strings.TrimSuffix("s3."+s["region"], ".") + ".amazonaws.com",
		"gcp":   "https://storage.googleapis.com",
		"azure": cmp.Or(connectionPart(s["connection_string"], "BlobEndpoint"), "https://"+cmp.Or(s["account_name"], "ACCOUNT")+".blob.core.windows.net"),
	}[name]
	u, err := url.Parse(cmp.Or(s["endpoint"], usual))
	if err != nil || u.Host == "" {
		return kubernetes.Server{}
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	return kubernetes.Server{What: "artifact store", Host: u.Hostname(), Port: port}
}

func (o Opener) metadataServer(c stack.Component, s flavor.Settings) (kubernetes.Server, error) {
	const what = "metadata store"
	switch {
	case isDatabase(c):
		server, err := o.database(s)
		if err != nil {
			return kubernetes.Server{}, err
		}
		labels, port := server.Pods()
		return kubernetes.Server{What: what, Pods: labels, Port: port, Namespace: s["kubernetes_namespace"]}, nil
	case c.Flavor == "mysql":
		return kubernetes.Server{What: what, Host: s["host"], Port: s.Int("port")}, nil
	}
	return kubernetes.Server{}, nil
}
