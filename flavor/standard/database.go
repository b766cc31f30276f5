package standard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/metadata/kubernetes"
	"github.com/proa-ml/proa/metadata/mysql"
	"github.com/proa-ml/proa/stack"
)

// DefaultDatabaseImage is the image of a database server that proa runs in a cluster.
const DefaultDatabaseImage = "mysql:8.4"

func kubernetesMetadata(contexts Contexts) flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.MetadataStore, Name: "kubernetes",
		Meaning: "a MySQL server that proa runs in a Kubernetes cluster, started with `proa stack up`",
		Attributes: []flavor.Attribute{
			contextAttribute(), insideAttribute(),
			{Name: "deployment_name", Type: flavor.Text, Required: true, Meaning: "the name of the server that proa makes, and of all that belongs to it; for a server that exists, use the flavor mysql", Example: "mysql", Check: kubernetes.CheckName},
			{Name: "kubernetes_namespace", Type: flavor.Text, Default: "proa", Meaning: "the namespace it is in; made if it is missing", Example: "proa", Check: dnsLabel},
			{Name: "storage_capacity", Type: flavor.Text, Default: "10Gi", Meaning: "the size of its volume", Example: "10Gi", Check: kubernetes.CheckCapacity},
			{Name: "storage_class", Type: flavor.Text, Meaning: "what provides its volume; the cluster's default storage class if not given", Example: "standard"},
			{Name: "image", Type: flavor.Text, Default: DefaultDatabaseImage, Meaning: "its image, which behaves as the official ones of MySQL and MariaDB do", Example: "mariadb:11.4"},
		},
		Verify: verifyCluster(contexts, stack.MetadataStore),
	}
}

// database returns the server in a cluster that a metadata store stands for.
func (o Opener) database(s flavor.Settings) (*kubernetes.Server, error) {
	server, err := kubernetes.New(kubernetes.Config{
		Cluster: o.clusterOf(s), Namespace: s["kubernetes_namespace"],
		Name: s["deployment_name"], Capacity: s["storage_capacity"], StorageClass: s["storage_class"], Image: s["image"],
	}, &kubernetes.Options{Now: o.Now, Rand: o.Rand})
	if err != nil {
		return nil, unreachable(stack.MetadataStore, err)
	}
	return server, nil
}

// isDatabase says that a component is a server that proa runs in a cluster.
func isDatabase(c stack.Component) bool {
	return c.Kind == stack.MetadataStore && c.Flavor == "kubernetes"
}

var (
	_ flavor.ServiceOpener = Opener{}
	_ flavor.InsideOpener  = Opener{}
)

// Service implements flavor.ServiceOpener.
func (o Opener) Service(c stack.Component) (flavor.Service, error) {
	if !isDatabase(c) {
		return nil, nil
	}
	settings, err := o.Catalogue.Settings(c)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", c.Kind.Words(), c.Name, err)
	}
	return o.database(settings)
}

// Inside implements flavor.InsideOpener: pods reach a database in their cluster by its Service, as any MySQL server.
func (o Opener) Inside(ctx context.Context, s stack.Resolved) (stack.Resolved, error) {
	if !isDatabase(s.Components[stack.MetadataStore]) {
		return s, nil
	}
	c, settings, err := o.component(ctx, s, stack.MetadataStore)
	if err != nil {
		return s, err
	}
	if err := o.sameCluster(s, c, settings); err != nil {
		return s, err
	}
	server, err := o.database(settings)
	if err != nil {
		return s, err
	}
	config, err := server.Inside(ctx)
	if err != nil {
		return s, err
	}
	s.Components = maps.Clone(s.Components)
	s.Components[stack.MetadataStore] = stack.Component{Kind: c.Kind, Name: c.Name, Flavor: "mysql", Attributes: mysqlAttributes(config)}
	return s, nil
}

func mysqlAttributes(config mysql.Config) map[string]string {
	return map[string]string{"host": config.Host, "port": strconv.Itoa(config.Port), "database": config.Database,
		"username": config.Username, "password": config.Password}
}

// sameCluster refuses a database in another cluster than the one the orchestrator's pods run in: they would not reach it.
func (o Opener) sameCluster(s stack.Resolved, c stack.Component, settings flavor.Settings) error {
	place := o.Catalogue.Place(s)
	if place.Context == "" || settings.Bool(flavor.InCluster) {
		return nil // the cluster that this runs in has another address from within
	}
	theirs, _, err := kubeconfig.Cluster{Kubeconfig: kubeconfig.Files(o.Env), Context: place.Context}.Rest()
	var unknown *kubeconfig.UnknownContextError
	if errors.As(err, &unknown) {
		return stack.Mistake("check KUBECONFIG with `kubectl config get-contexts`", "%v", err)
	} else if err != nil {
		return err
	}
	own, _, err := o.clusterOf(settings).Rest()
	if err != nil {
		return err
	}
	if own.Host == theirs.Host {
		return nil
	}
	return stack.Mistake(fmt.Sprintf("register one in that cluster, or use the flavor mysql for a server that both reach: `proa metadata-store register NAME --flavor=kubernetes --kubernetes_context=%s ...`", place.Context),
		"the orchestrator's pods run in the cluster of context %q and can't reach the metadata store %q in the cluster of context %q",
		place.Context, c.Name, settings["kubernetes_context"])
}
