package kubernetes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestDoubtRegistry(t *testing.T) {
	node := func(provider string) []corev1.Node {
		return []corev1.Node{{Spec: corev1.NodeSpec{ProviderID: provider}}}
	}
	hosting := "host: \"localhost:5001\"\nhostFromContainerRuntime: \"registry:5000\"\nhelp: \"https://kind.sigs.k8s.io/docs/user/local-registry/\"\n"
	for what, test := range map[string]struct{ got, want string }{
		"the one that the cluster names":     {doubtHosting("reg", "localhost:5001", hosting), ""},
		"its name within the cluster":        {doubtHosting("reg", "registry:5000", hosting), ""},
		"another than the cluster names":     {doubtHosting("reg", "localhost:5000", hosting), "proa container-registry update reg --uri=localhost:5001"},
		"a cluster that says nothing useful": {doubtHosting("reg", "localhost:5000", "help: none"), ""},
		"a cluster that says nonsense":       {doubtHosting("reg", "localhost:5000", ":"), ""},
		"kind":                               {doubtNodes("reg", "localhost:5000", node("kind://docker/kind/kind-control-plane")), "https://kind.sigs.k8s.io/docs/user/local-registry/"},
		"k3d":                                {doubtNodes("reg", "127.0.0.1:5000", node("k3s://k3d-dev-server-0")), "container-registry update reg --uri=k3d-registry.localhost:5001"},
		"k3d's own registry":                 {doubtNodes("reg", "k3d-registry.localhost:5001", node("k3s://k3d-dev-server-0")), ""},
		"k3s on this machine itself":         {doubtNodes("reg", "localhost:5000", node("k3s://laptop")), ""},
		"nodes that say nothing":             {doubtNodes("reg", "localhost:5000", node("")), ""},
		"no nodes":                           {doubtNodes("reg", "localhost:5000", nil), ""},
	} {
		if (test.want == "") != (test.got == "") || !strings.Contains(test.got, test.want) {
			t.Errorf("%s: got %q, want something with %q", what, test.got, test.want)
		}
	}
}
