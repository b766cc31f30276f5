package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/step"
)

// setUp are the objects that a namespace has from the cluster, and those that proa makes once for all runs.
var setUp = []string{
	"configmaps/kube-root-ca.crt", "serviceaccounts/default",
	"serviceaccounts/proa", "roles.rbac.authorization.k8s.io/proa", "rolebindings.rbac.authorization.k8s.io/proa",
}

// leftovers waits until the script's namespace holds nothing of any kind but what it has for all runs. With the word "ended",
// the Jobs of runs that have ended may be there, and their coordinators' pods, until their time to live is over.
func leftovers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 || len(args) == 1 && args[0] != "ended" {
		ts.Fatalf("usage: leftovers [ended]")
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(),
		&clientcmd.ConfigOverrides{CurrentContext: os.Getenv("PROA_TEST_CONTEXT")}).ClientConfig()
	ts.Check(err)
	config.QPS = 100
	for until := time.Now().Add(90 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		left, err := namespaced(config, ts.Getenv("ID"), len(args) == 1)
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("left in the namespace: %q, error %v", left, err)
		}
	}
}

// namespaced lists all that a namespace holds, of every kind that can be listed, without what may be there.
func namespaced(config *rest.Config, namespace string, ended bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lists, err := kinds.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	var left []string
	count := 0
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, kind := range list.APIResources {
			if kind.Name == "events" || !slices.Contains(kind.Verbs, "list") { // events tell of what was, and end by themselves
				continue
			}
			count++
			found, err := client.Resource(group.WithResource(kind.Name)).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, err
			}
			for _, object := range found.Items {
				name := group.WithResource(kind.Name).GroupResource().String() + "/" + object.GetName()
				if !slices.Contains(setUp, name) && !(ended && hasEnded(kind.Name, object)) {
					left = append(left, name)
				}
			}
		}
	}
	if count < 20 {
		return nil, fmt.Errorf("only %d kinds can be listed", count)
	}
	return left, nil
}

// hasEnded reports whether an object is the Job of a run that has ended, or its coordinator's pod.
func hasEnded(kind string, object unstructured.Unstructured) bool {
	if object.GetLabels()["app.kubernetes.io/managed-by"] != "proa" {
		return false
	}
	if kind == "jobs" {
		at, _, _ := unstructured.NestedInt64(object.Object, "status", "active")
		return at == 0
	}
	phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	return kind == "pods" && object.GetLabels()["proa.dev/component"] == "coordinator" && (phase == "Succeeded" || phase == "Failed")
}

// objects checks that the script's artifact store holds something under a prefix; or, negated, that it doesn't.
func objects(ts *testscript.TestScript, neg bool, args []string) {
	store := "s3"
	switch len(args) {
	case 1:
	case 2:
		store, args = args[0], args[1:]
	default:
		ts.Fatalf("usage: [!] objects [google|azure] prefix")
	}
	if keys := stored(ts, store, args[0]); neg == (len(keys) > 0) {
		ts.Fatalf("under %s there are %q", args[0], keys)
	}
}

// stored lists objects of one of the script's artifact stores.
func stored(ts *testscript.TestScript, which, prefix string) []string {
	v := func(name string) string { return ts.Getenv("PROA_TEST_" + name) }
	where := map[string]step.Store{
		"s3": {URL: "s3://" + v("S3_BUCKET"), Options: map[string]string{
			"endpoint": v("S3_ENDPOINT"), "region": v("S3_REGION"), "path_style": "true", "key": v("S3_KEY"), "secret": v("S3_SECRET"),
		}},
		"google": {URL: "gs://" + v("GCS_BUCKET"), Options: map[string]string{"endpoint": v("GCS_ENDPOINT")}},
		"azure": {URL: "az://" + v("AZURE_CONTAINER"), Options: map[string]string{
			"endpoint": v("AZURE_ENDPOINT"), "account_name": v("AZURE_ACCOUNT"), "account_key": v("AZURE_KEY"),
		}},
	}[which]
	where.URL += "/" + ts.Getenv("ID")
	if which == "google" {
		key, err := os.ReadFile(v("GCS_KEY_FILE"))
		ts.Check(err)
		where.Options["service_account_key"] = string(key)
	}
	store, err := artifact.Open(context.Background(), where, nil)
	ts.Check(err)
	defer store.Close() // it was only read
	keys, err := store.List(context.Background(), prefix)
	ts.Check(err)
	return keys
}

// empty checks that the script's artifact store and database hold nothing but who they are.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: empty")
	}
	v := func(name string) string { return ts.Getenv("PROA_TEST_" + name) }
	keys := stored(ts, "s3", "")
	if !slices.Equal(keys, []string{"identity.json", "metadata-store.json"}) {
		ts.Fatalf("the artifact store holds %q", keys)
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = "tcp", v("MYSQL_HOST")+":"+v("MYSQL_PORT"), v("MYSQL_USER"), v("MYSQL_PASSWORD")
	config.DBName = strings.ReplaceAll(ts.Getenv("ID"), "-", "_")
	db, err := sql.Open("mysql", config.FormatDSN())
	ts.Check(err)
	defer db.Close() // it was only read
	for _, table := range []string{"proa_runs", "proa_steps", "proa_events", "proa_leases", "proa_cache"} {
		rows := -1
		ts.Check(db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&rows))
		if rows != 0 {
			ts.Fatalf("the table %s has %d rows", table, rows)
		}
	}
}
