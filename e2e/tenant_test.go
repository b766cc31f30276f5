package e2e

import (
	"context"
	"os"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proa-ml/proa/internal/testbed/rights"
)

// clusterOf reaches the cluster as its administrator, whoever a script is meanwhile.
func clusterOf(ts *testscript.TestScript) (*rest.Config, kubernetes.Interface) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: strings.Split(os.Getenv("KUBECONFIG"), string(os.PathListSeparator))}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: ts.Getenv("PROA_TEST_CONTEXT")}).ClientConfig()
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	return config, client
}

// tenant makes a kubeconfig whose only user is a service account of the script's namespace. What it asks of the cluster
// passes a proxy that takes notes for the command `granted`.
func tenant(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tenant NAME")
	}
	config, client := clusterOf(ts)
	accounts := client.CoreV1().ServiceAccounts(ts.Getenv("ID"))
	_, err := accounts.Create(context.Background(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: args[0]}}, metav1.CreateOptions{})
	ts.Check(err)
	token, err := accounts.CreateToken(context.Background(), args[0], &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	ts.Check(err)
	notes, err := rights.Take(config, ts.Getenv("ID"))
	ts.Check(err)
	ts.Defer(notes.Close)
	ts.Check(clientcmd.WriteToFile(*notes.Kubeconfig(args[0], token.Status.Token), ts.MkAbs(args[0]+".kubeconfig")))
	taken.Store(ts.Getenv("ID")+"/"+args[0], notes)
}

// taken has the notes of all scripts' tenants.
var taken sync.Map

// granted compares what tenants were permitted with what they took: they are the same, whatever was refused.
func granted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: granted NAME")
	}
	_, client := clusterOf(ts)
	roles, err := client.RbacV1().Roles(ts.Getenv("ID")).List(context.Background(), metav1.ListOptions{})
	ts.Check(err)
	var rules []rbacv1.PolicyRule
	for _, role := range roles.Items {
		if strings.HasPrefix(role.Name, "proa-user-") {
			rules = append(rules, role.Rules...)
		}
	}
	notes, _ := taken.Load(ts.Getenv("ID") + "/" + args[0])
	got := notes.(*rights.Notes).Taken()
	if diff := cmp.Diff(rights.Permitted(rules), got); diff != "" {
		ts.Fatalf("what %s was permitted and what it did differ (-permitted +did):\n%s", args[0], diff)
	}
	ts.Logf("%d rights, each permitted and used: %s", len(got), strings.Join(got, ", "))
}
