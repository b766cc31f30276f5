package standard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proa-ml/proa/stack"
)

// twoClusters has three contexts; two of them are one cluster.
const twoClusters = `apiVersion: v1
kind: Config
clusters:
- {name: a, cluster: {server: "https://127.0.0.1:1"}}
- {name: b, cluster: {server: "https://127.0.0.1:2"}}
users: [{name: u, user: {}}]
contexts:
- {name: one, context: {cluster: a, user: u}}
- {name: same, context: {cluster: a, user: u}}
- {name: two, context: {cluster: b, user: u}}
`

func openerWith(t *testing.T, kubeconfig string) Opener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string { return map[string]string{"KUBECONFIG": path}[name] }
	return Opener{Catalogue: Catalogue(Kubeconfig(env)), Env: env}
}

func databaseStack(orchestrators, databases string) stack.Resolved {
	return stack.Resolved{Name: "s", Components: map[stack.Kind]stack.Component{
		stack.Orchestrator: {Kind: stack.Orchestrator, Name: "o", Flavor: "kubernetes", Attributes: map[string]string{"kubernetes_context": orchestrators}},
		stack.MetadataStore: {Kind: stack.MetadataStore, Name: "m", Flavor: "kubernetes",
			Attributes: map[string]string{"kubernetes_context": databases, "deployment_name": "db"}},
	}}
}

// TestDatabaseOfAnotherCluster: pods reach a database of their own cluster only.
func TestDatabaseOfAnotherCluster(t *testing.T) {
	o := openerWith(t, twoClusters)
	_, err := o.Inside(t.Context(), databaseStack("one", "two"))
	var mistake *stack.Error
	if !errors.As(err, &mistake) || !strings.Contains(mistake.Text, `can't reach the metadata store "m" in the cluster of context "two"`) ||
		!strings.Contains(mistake.Hint, "--kubernetes_context=one") {
		t.Errorf("got %v", err)
	}
	// Another name of the same cluster will do: here it is asked, and there is none.
	_, err = o.Inside(t.Context(), databaseStack("one", "same"))
	if err == nil || errors.As(err, &mistake) || !strings.Contains(err.Error(), "https://127.0.0.1:1") {
		t.Errorf("got %v, want the cluster to be asked", err)
	}
}

// TestServices: what proa doesn't run is left alone.
func TestServices(t *testing.T) {
	o := openerWith(t, twoClusters)
	s := databaseStack("one", "one")
	for kind, want := range map[stack.Kind]bool{stack.Orchestrator: false, stack.MetadataStore: true} {
		service, err := o.Service(s.Components[kind])
		if err != nil || (service != nil) != want {
			t.Errorf("%s: got %v, %v", kind, service, err)
		}
	}
	s.Components[stack.MetadataStore] = stack.Component{Kind: stack.MetadataStore, Name: "m", Flavor: "sqlite", Attributes: map[string]string{"path": "/x"}}
	inside, err := o.Inside(t.Context(), s)
	if err != nil || inside.Components[stack.MetadataStore].Flavor != "sqlite" {
		t.Errorf("got %+v, %v", inside, err)
	}
}
