package kubeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const two = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t0ken}}]
contexts:
- {name: work, context: {cluster: c, user: u}}
- {name: home, context: {cluster: c, user: u}}
current-context: work
`

func write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContexts(t *testing.T) {
	names, current, err := Contexts(write(t))
	if err != nil || current != "work" || !slices.Equal(names, []string{"home", "work"}) {
		t.Errorf("got %v, current %q, %v", names, current, err)
	}
	none := filepath.Join(t.TempDir(), "none")
	var missing *MissingError
	if _, _, err = Contexts(none); !errors.As(err, &missing) || !strings.Contains(err.Error(), none+" does not exist") {
		t.Errorf("without a file: got %v", err)
	}
	if names, _, err = Contexts(none + ":" + write(t)); err != nil || len(names) != 2 {
		t.Errorf("with one file of two: got %v, %v", names, err)
	}
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names, current, err = Contexts(none); err != nil || current != "" || len(names) != 0 {
		t.Errorf("with an empty file: got %v, current %q, %v", names, current, err)
	}
}

func TestRest(t *testing.T) {
	files := write(t)
	for given, want := range map[string]string{"": "work", "home": "home"} {
		config, context, err := Cluster{Kubeconfig: files, Context: given}.Rest()
		if err != nil || context != want || config.Host != "https://127.0.0.1:1" {
			t.Errorf("%q: got context %q, %v", given, context, err)
		}
	}
	_, _, err := Cluster{Kubeconfig: files, Context: "wrok"}.Rest()
	var unknown *UnknownContextError
	if !errors.As(err, &unknown) || !slices.Equal(unknown.Known, []string{"home", "work"}) || !strings.Contains(err.Error(), files) {
		t.Errorf("got %v, want an error that knows what there is", err)
	}
	// Tests don't run in pods.
	_, _, err = Cluster{Kubeconfig: files, Context: "work", Inside: true}.Rest()
	var outside *OutsideError
	if !errors.As(err, &outside) {
		t.Errorf("got %v, want an error that says that this is no pod", err)
	}
}

func TestFiles(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"/a:/b":                 {"KUBECONFIG": "/a:/b", "HOME": "/home/me"},
		"/home/me/.kube/config": {"HOME": "/home/me"},
	} {
		if got := Files(func(name string) string { return env[name] }); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
