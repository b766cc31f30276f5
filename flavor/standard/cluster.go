package standard

import (
	"errors"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/proa-ml/proa/stack"
)

// contextAttribute and insideAttribute say which cluster a component is in.
func contextAttribute() flavor.Attribute {
	return flavor.Attribute{Name: "kubernetes_context", Type: flavor.Text, Required: true, Unless: flavor.InCluster,
		Meaning: "the kubeconfig context of the cluster; not needed with incluster", Example: "my-cluster"}
}

func insideAttribute() flavor.Attribute {
	return flavor.Attribute{Name: flavor.InCluster, Type: flavor.Bool, Default: "false",
		Meaning: "this program runs in pods of the cluster and has the rights of their service account there; kubernetes_context is not looked at"}
}

// verifyCluster checks that the kubeconfig has the context of a component, if it names one.
func verifyCluster(contexts Contexts, kind stack.Kind) func(string, flavor.Settings) ([]string, error) {
	return func(name string, s flavor.Settings) ([]string, error) {
		if s.Bool(flavor.InCluster) || s["kubernetes_context"] == "" {
			return nil, nil
		}
		_, err := contexts.find(kind, name, s["kubernetes_context"])
		return nil, err
	}
}

// clusterOf says which cluster a component is in.
func (o Opener) clusterOf(s flavor.Settings) kubeconfig.Cluster {
	return kubeconfig.Cluster{Kubeconfig: kubeconfig.Files(o.Env), Context: s["kubernetes_context"], Inside: s.Bool(flavor.InCluster)}
}

// unreachable says of an error of finding the cluster of a component what to do about it.
func unreachable(kind stack.Kind, err error) error {
	var outside *kubeconfig.OutsideError
	if errors.As(err, &outside) {
		return stack.Mistake("run this in a pod of the cluster that has a service account, or, for a machine that has a kubeconfig: `proa "+string(kind)+
			" update NAME --incluster=false --kubernetes_context=CONTEXT`",
			"with incluster, the %s is used from within its cluster, and this is not a pod there: %v", kind.Words(), err)
	}
	return stack.Mistake("check KUBECONFIG with `kubectl config get-contexts`", "%v", err)
}
