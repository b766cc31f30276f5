package kubernetes

import (
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/proa-ml/proa/internal/testbed/rights"
)

// tenant returns the engine of a user who may do in the namespace what Rules say, and nothing else, and notes of what that takes.
func (w *world) tenant(name string) (*Cluster, *rights.Notes) {
	w.t.Helper()
	w.check(w.cluster.makeNamespace(w.ctx))
	token, err := rights.User{Namespace: w.cfg.Namespace, Name: name}.Make(w.ctx, w.cluster.client, w.cfg.Namespace, Rules(w.cfg.Namespace))
	w.check(err)
	notes, err := rights.Take(w.cluster.rest, w.cfg.Namespace)
	w.check(err)
	w.t.Cleanup(notes.Close)
	cfg := w.cfg
	cfg.Kubeconfig, cfg.Context = filepath.Join(w.t.TempDir(), "kubeconfig"), name
	w.check(clientcmd.WriteToFile(*notes.Kubeconfig(name, token), cfg.Kubeconfig))
	c, err := New(cfg, nil)
	w.check(err)
	return c, notes
}
