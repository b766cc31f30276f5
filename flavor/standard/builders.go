package standard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/image/buildkit"
	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/image/kubernetes"
	"github.com/proa-ml/proa/image/oci"
	"github.com/proa-ml/proa/stack"
)

// DefaultBuildKitImage is the image of a builder that proa runs in a cluster.
const DefaultBuildKitImage = "moby/buildkit:v0.30.0-rootless"

// DefaultBuilds is the namespace of the builders that proa runs in a cluster.
const DefaultBuilds = "proa-builds"

func ociBuilder() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ImageBuilder, Name: "oci",
		Meaning: "builds images without a daemon, from a base, wheels and code",
		Attributes: append(builderAttributes(), flavor.Attribute{Name: "compression", Type: flavor.Text, Default: oci.Gzip, Example: oci.Zstd,
			Meaning: "of layers: gzip, or zstd where the registry and the nodes' runtime take it, and the base has OCI's media types", Check: compression}),
	}
}

func dockerBuilder() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ImageBuilder, Name: "docker",
		Meaning: "builds with a Docker Engine, for Dockerfiles, system packages and requirements that have to be compiled",
		Attributes: append(builderAttributes(),
			flavor.Attribute{Name: "host", Type: flavor.Text, Meaning: "the engine's address; DOCKER_HOST, or Docker's current context, if not given", Example: "unix:///var/run/docker.sock"}),
	}
}

func compression(value string) error {
	if value != oci.Gzip && value != oci.Zstd {
		return fmt.Errorf("it must be %s or %s", oci.Gzip, oci.Zstd)
	}
	return nil
}

// builderAttributes are what every image builder has.
func builderAttributes() []flavor.Attribute {
	return []flavor.Attribute{
		{Name: "parent_image", Type: flavor.Text, Default: DefaultBase, Meaning: "the base image; {python} stands for the pipeline's minor version of Python", Example: DefaultBase},
		{Name: "platform", Type: flavor.Text, Default: DefaultPlatform, Meaning: "what the cluster's nodes run", Example: DefaultPlatform, Check: platform},
	}
}

func buildkitBuilder(contexts Contexts) flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ImageBuilder, Name: "buildkit",
		Meaning:    "builds with BuildKit in a pod of a Kubernetes cluster, for what takes a container engine where there is no Docker",
		Attributes: append(append(builderAttributes(), podAttributes()...), daemonAttributes()...),
		Check:      checkBuildKit,
		Verify:     verifyCluster(contexts, stack.ImageBuilder),
	}
}

// podAttributes are those of the pod that builds.
func podAttributes() []flavor.Attribute {
	return []flavor.Attribute{
		{Name: "kubernetes_context", Type: flavor.Text, Meaning: "the kubeconfig context of the cluster; needed unless there is an address, or incluster", Example: "my-cluster"},
		insideAttribute(),
		{Name: "kubernetes_namespace", Type: flavor.Text, Default: DefaultBuilds, Check: dnsLabel, Example: DefaultBuilds,
			Meaning: "the namespace of the builder's pod; made if it is missing, with the Pod Security level \"privileged\", since \"restricted\" and \"baseline\" refuse BuildKit"},
		{Name: "image", Type: flavor.Text, Default: DefaultBuildKitImage, Meaning: "its image, which behaves as BuildKit's official rootless image does", Example: DefaultBuildKitImage},
		{Name: "resources", Type: flavor.JSON, Meaning: "its requests and limits, as in a pod's manifest; a quarter of a CPU and 256Mi are requested if not given", Check: parses(kubernetes.ParseResources),
			Example: `{"requests":{"cpu":"2","memory":"4Gi"},"limits":{"memory":"4Gi"}}`},
		{Name: "node_selectors", Type: flavor.JSON, Meaning: "the labels of the nodes that it may run on", Example: `{"pool":"builds"}`, Check: parses(kubernetes.ParseNodeSelectors)},
		{Name: "tolerations", Type: flavor.JSON, Meaning: "the taints of nodes that it bears, as in a pod's manifest", Example: `[{"key":"builds","operator":"Exists"}]`, Check: parses(kubernetes.ParseTolerations)},
		{Name: "service_account_name", Type: flavor.Text, Meaning: "its service account, whose token it is not given; pull secrets of that account serve its image", Example: "builder", Check: dnsName},
		{Name: "storage_size", Type: flavor.Text, Meaning: "how much disk of its node it may use; as much as there is if not given", Example: "20Gi", Check: kubernetes.CheckSize},
		{Name: "privileged", Type: flavor.Bool, Default: "false", Meaning: "give it all rights on its node; for nodes that don't let an ordinary user make user namespaces"},
		{Name: "keep_alive", Type: flavor.Text, Meaning: "how long it waits for another build, with all that it has cached; without it each build has a builder of its own", Example: "10m", Check: duration},
		{Name: "registry_address", Type: flavor.Text, Meaning: "the address of the stack's registry as BuildKit reaches it, if that is another one than the cluster's nodes and this machine use", Example: "registry.registry.svc:5000"},
		{Name: "insecure_registries", Type: flavor.Text, Meaning: "further registries, separated by commas, that speak plain HTTP; that the stack's own does is found out", Example: "mirror.example.com:5000"},
	}
}

// daemonAttributes are those of a BuildKit that somebody else keeps.
func daemonAttributes() []flavor.Attribute {
	return []flavor.Attribute{
		{Name: "address", Type: flavor.Text, Meaning: "a BuildKit daemon that is there, to use instead of making a pod; it reads its registries' ways from its own configuration", Example: "tcp://buildkitd.example.com:1234", Check: buildkit.CheckAddress},
		{Name: "ca", Type: flavor.Text, Meaning: "certificate of the authority that has signed the daemon's, as PEM; turns TLS on", Example: "@ca.pem", Check: pem},
		{Name: "cert", Type: flavor.Text, Meaning: "certificate of the client, as PEM", Example: "@client.pem", Check: pem},
		{Name: "key", Type: flavor.Text, Secret: true, Meaning: "private key of the client, as PEM", Example: "@client-key.pem", Check: pem},
	}
}

// parses accepts what a function reads.
func parses[T any](read func(string) (T, error)) func(string) error {
	return func(value string) error {
		_, err := read(value)
		return err
	}
}

func duration(value string) error {
	if d, err := time.ParseDuration(value); err != nil || d <= 0 {
		return errors.New("it must be a time such as 10m")
	}
	return nil
}

func checkBuildKit(s flavor.Settings) error {
	switch {
	case s["kubernetes_context"] == "" && s["address"] == "" && !s.Bool(flavor.InCluster):
		return stack.Mistake("add --kubernetes_context=CONTEXT, or --address=tcp://HOST:PORT of a BuildKit daemon that is there",
			"the attribute \"kubernetes_context\" is missing")
	case s["address"] != "" && s.Bool(flavor.InCluster):
		return stack.Mistake("give only one of them", "the attributes \"incluster\" and \"address\" exclude each other")
	case s["kubernetes_context"] != "" && s["address"] != "":
		return stack.Mistake("give only one of them", "the attributes \"kubernetes_context\" and \"address\" exclude each other")
	case (s["cert"] == "") != (s["key"] == ""):
		return stack.Mistake("give both --cert and --key, or neither", "one of the attributes \"cert\" and \"key\" is missing")
	case s["address"] == "" && (s["ca"] != "" || s["cert"] != ""):
		return stack.Mistake("they are for --address; a pod is reached through the cluster's API", "the attributes \"ca\", \"cert\" and \"key\" need an address")
	}
	return nil
}

// engine returns the builder of the component's flavor, which leaves to the daemonless one what takes no engine.
func (o Opener) engine(c stack.Component, s flavor.Settings, daemonless *oci.Builder, registry flavor.Settings, repository string) (imagedriver.Builder, error) {
	route := func(ctx context.Context) (buildkit.Route, error) {
		host, _, _ := strings.Cut(repository, "/")
		plain, err := daemonless.PlainHTTP(ctx, repository)
		return buildkit.Route{Host: host, Inside: s["registry_address"], HTTP: plain, CA: []byte(registry["ca"])}, err
	}
	var engine buildkit.Engine
	var err error
	switch {
	case c.Flavor == "oci":
		return daemonless, nil
	case c.Flavor == "docker":
		engine = buildkit.NewDocker(buildkit.DockerConfig{Host: s["host"], Env: o.Env})
	case c.Flavor != "buildkit":
		return nil, unsupported(c)
	case s["address"] != "":
		engine, err = buildkit.NewRemote(buildkit.RemoteConfig{
			Address: s["address"], CA: []byte(s["ca"]), Cert: []byte(s["cert"]), Key: []byte(s["key"]), Route: route})
	default:
		engine, err = o.builders(s, route)
	}
	if err != nil {
		return nil, err
	}
	index := func() (buildkit.Index, error) { return buildkit.FindIndex(o.Env) }
	return buildkit.New(buildkit.Config{Engine: engine, Registry: daemonless, Index: index}, nil)
}

// builders returns the builders in a cluster.
func (o Opener) builders(s flavor.Settings, route func(context.Context) (buildkit.Route, error)) (*kubernetes.Cluster, error) {
	resources, resourcesErr := kubernetes.ParseResources(s["resources"])
	selectors, selectorsErr := kubernetes.ParseNodeSelectors(s["node_selectors"])
	tolerations, tolerationsErr := kubernetes.ParseTolerations(s["tolerations"])
	if err := errors.Join(resourcesErr, selectorsErr, tolerationsErr); err != nil {
		return nil, err
	}
	alive, _ := time.ParseDuration(s["keep_alive"]) // checked; empty means none
	cluster, err := kubernetes.New(kubernetes.Config{
		Cluster: o.clusterOf(s), Namespace: s["kubernetes_namespace"], Image: s["image"],
		Resources: resources, NodeSelectors: selectors, Tolerations: tolerations, ServiceAccount: s["service_account_name"],
		Storage: s["storage_size"], Privileged: s.Bool("privileged"), KeepAlive: alive,
		PlainHTTP: strings.FieldsFunc(s["insecure_registries"], func(r rune) bool { return r == ',' || r == ' ' }), Route: route,
	}, &kubernetes.Options{Now: o.Now, Rand: o.Rand})
	if err != nil {
		return nil, unreachable(stack.ImageBuilder, err)
	}
	return cluster, nil
}
