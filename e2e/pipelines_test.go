package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLocal runs pipelines on the built-in local stack, with the program and the SDK that the wheel installs.
func TestLocal(t *testing.T) {
	testscript.Run(t, scripts(t, "local"))
}

// TestKubernetes runs pipelines on a real cluster, with a real registry, S3 server and MySQL-compatible database.
func TestKubernetes(t *testing.T) {
	requireCluster(t)
	pods := watchPods(t)
	testscript.Run(t, scripts(t, "kubernetes"))
	t.Cleanup(pods.print)
}

// TestClouds runs pipelines on the cluster whose artifacts are in Google's and Microsoft's stores.
func TestClouds(t *testing.T) {
	requireCluster(t)
	requireVariables(t, "GCS_ENDPOINT", "GCS_BUCKET", "GCS_KEY_FILE", "AZURE_ENDPOINT", "AZURE_ACCOUNT", "AZURE_KEY", "AZURE_CONTAINER")
	testscript.Run(t, scripts(t, "clouds"))
}

// TestOutages runs scripts that stop services of the throw-away cluster, so nothing else may run beside them.
func TestOutages(t *testing.T) {
	requireCluster(t)
	if os.Getenv("PROA_CLUSTER_DIR") == "" {
		t.Skip("services are stopped only on the throw-away cluster of hack/cluster; this is another one (PROA_CLUSTER_DIR is not set)")
	}
	testscript.Run(t, scripts(t, "outages"))
}

// passed matches what of the environment the scripts see: the services to test with, and how the network is reached.
var passed = regexp.MustCompile(`^(PROA_TEST_\w+|KUBECONFIG|(UV|PIP|SSL_CERT)_\w+|(?i:https?|no|all)_(?i:proxy))=`)

// scripts returns the parameters of the scripts in testdata/<folder>. Each script has a configuration, a data folder, a
// namespace, a database and a prefix in the bucket of its own.
func scripts(t *testing.T, folder string) testscript.Params {
	venv := requireVenv(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		RequireExplicitExec: true,
		Deadline:            deadline(t),
		Setup: func(env *testscript.Env) error {
			id := fmt.Sprintf("e2e-%d-%s", time.Now().UnixNano()%1e9, filepath.Base(env.WorkDir))
			env.Setenv("ID", strings.ReplaceAll(strings.ToLower(id), "_", "-"))
			env.Setenv("ROOT", root)
			env.Setenv("PATH", strings.Join([]string{filepath.Join(venv, "bin"), filepath.Dir(os.Getenv("PROA_TEST_KUBECTL")), env.Getenv("PATH")}, string(os.PathListSeparator)))
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("PROA_CONFIG_DIR", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("XDG_CACHE_HOME", os.Getenv("XDG_CACHE_HOME"))
			env.Setenv("PROA_CACHE_DIR", cacheDir(t))
			for _, pair := range os.Environ() {
				if passed.MatchString(pair) {
					env.Vars = append(env.Vars, pair)
				}
			}
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"stack":      stack,
			"namespace":  namespace,
			"policy":     policy,
			"documented": documented,
			"waitfor":    waitFor,
			"service":    service,
			"dbuser":     dbuser,
			"nowhere":    nowhere,
			"readonly":   readonly,
			"throttled":  throttled,
			"webhook":    webhook,
			"processes":  processes,
			"tenant":     tenant,
			"granted":    granted,
			"flows":      flows,
			"leftovers":  leftovers,
			"empty":      empty,
			"objects":    objects,
		},
	}
}

// condition says whether the nodes can be told, at [nodes], how registries of this test are reached.
func condition(name string) (bool, error) {
	if name != "nodes" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	known := os.Getenv("PROA_TEST_NODE_REGISTRIES") != ""
	if !known && os.Getenv("PROA_REQUIRE_CLUSTER") == "1" {
		return false, errors.New("PROA_TEST_NODE_REGISTRIES is not set")
	}
	return known, nil
}

// deadline leaves time to clean up before the test binary itself runs out of it.
func deadline(t *testing.T) time.Time {
	d, ok := t.Deadline()
	if !ok {
		return time.Time{}
	}
	return d.Add(-20 * time.Second)
}

// cacheDir is shared by all scripts: layers are content-addressed.
func cacheDir(t *testing.T) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "proa")
}

// stack registers the Kubernetes stack of the script and makes it the active one.
func stack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: stack")
	}
	v := func(name string) string { return ts.Getenv("PROA_TEST_" + name) }
	id := ts.Getenv("ID")
	for _, command := range [][]string{
		{"container-registry", "register", "reg", "--flavor=default", "--uri=" + v("REGISTRY")},
		{"artifact-store", "register", "s3", "--flavor=s3", "--path=s3://" + v("S3_BUCKET") + "/" + id, "--endpoint=" + v("S3_ENDPOINT"),
			"--region=" + v("S3_REGION"), "--path_style=true", "--key=" + v("S3_KEY"), "--secret=" + v("S3_SECRET")},
		{"metadata-store", "register", "db", "--flavor=mysql", "--host=" + v("MYSQL_HOST"), "--port=" + v("MYSQL_PORT"),
			"--database=" + strings.ReplaceAll(id, "-", "_"), "--username=" + v("MYSQL_USER"), "--password=" + v("MYSQL_PASSWORD")},
		{"orchestrator", "register", "k8s", "--flavor=kubernetes", "--kubernetes_context=" + v("CONTEXT"), "--kubernetes_namespace=" + id},
		{"image-builder", "register", "base", "--flavor=oci", "--parent_image=" + v("PARENT_IMAGE")},
		{"stack", "register", "k8s", "-o", "k8s", "-m", "db", "-a", "s3", "-c", "reg", "-i", "base"},
		{"stack", "set", "k8s"},
	} {
		ts.Check(ts.Exec("proa", command...))
	}
	namespace(ts, false, nil)
	ts.Defer(func() {
		db := openDatabase(ts, "")
		defer func() { _ = db.Close() }()
		_, _ = db.Exec("DROP DATABASE IF EXISTS `" + databaseName(ts) + "`")
	})
}

// namespace removes the script's own namespace in the end, or the one that is named.
func namespace(ts *testscript.TestScript, _ bool, args []string) {
	name := append(args, ts.Getenv("ID"))[0]
	_, client := clusterOf(ts)
	ts.Defer(func() {
		_ = client.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
	})
}

// policy makes objects of the cluster that a file describes, in which variables are replaced, and removes them in the end.
func policy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: policy file")
	}
	file := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(file, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
	ts.Defer(func() { _ = ts.Exec("kubectl", "delete", "-f", file, "--wait=false", "--ignore-not-found") })
	ts.Check(ts.Exec("kubectl", "create", "-f", file))
}

// waitFor runs a command again and again until it succeeds.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitfor duration command [argument ...]")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	for until := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		if err = ts.Exec(args[1], args[2:]...); err == nil {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("%s did not succeed within %s: %v", strings.Join(args[1:], " "), limit, err)
		}
	}
}

// service stops or starts a service of the throw-away cluster.
func service(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: service stop|start name")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/cluster", args[0], args[1])
	cmd.Dir = ts.Getenv("ROOT")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("hack/cluster %s %s: %v\n%s", args[0], args[1], err, out)
	}
}
