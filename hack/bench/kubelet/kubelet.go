// Package kubelet simulates nodes whose pods cost nothing, so that a machine can carry thousands of them: the API server, the
// scheduler, the artifact store and the coordinator are real, and what a pod would do, it does by the same protocol as
// the launcher (package step), but without a container and without a runner.
package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// Label with the value Value selects the simulated nodes, and as a taint it keeps all other pods away.
	Label = "proa.dev/simulated"
	// Value is the value of Label.
	Value = "true"

	podsPerNode = 250
	heartbeat   = 10 * time.Second
)

// Nodes are simulated nodes and the pods on them.
type Nodes struct {
	client    kubernetes.Interface
	namespace string
	names     []string

	mu   sync.Mutex
	pods map[types.UID]context.CancelFunc
	// stores are what the runs' pods share, by the name of the run's Secret.
	stores map[string]*access
	tasks  sync.WaitGroup
	// failures are why pods did not do their work.
	failures []error
}

// Start adds nodes for that many pods to the cluster and runs the pods of a namespace that the scheduler binds to them,
// until the returned function is called. It removes the nodes, and returns why pods failed, if any did.
func Start(ctx context.Context, client kubernetes.Interface, namespace string, pods int) (stop func() error, err error) {
	n := &Nodes{client: client, namespace: namespace, pods: map[types.UID]context.CancelFunc{}, stores: map[string]*access{}}
	ctx, cancel := context.WithCancel(ctx)
	stop = func() error {
		cancel()
		n.tasks.Wait()
		return n.remove(context.WithoutCancel(ctx))
	}
	for i := range (pods + podsPerNode - 1) / podsPerNode {
		name := fmt.Sprintf("%s-%d", namespace, i)
		if err := n.add(ctx, name); err != nil {
			_ = stop()
			return nil, err
		}
	}
	n.tasks.Go(func() { n.beat(ctx) })
	n.tasks.Go(func() { n.watch(ctx) })
	return stop, nil
}

// add makes a node that is ready.
func (n *Nodes) add(ctx context.Context, name string) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("4Ti"),
		corev1.ResourcePods: *resource.NewQuantity(podsPerNode, resource.DecimalSI),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{Label: Value, corev1.LabelHostname: name}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: Label, Value: Value, Effect: corev1.TaintEffectNoSchedule}}},
		Status:     corev1.NodeStatus{Capacity: room, Allocatable: room, Conditions: []corev1.NodeCondition{ready()}},
	}
	if _, err := n.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("adding a simulated node: %w", err)
	}
	n.names = append(n.names, name)
	patch, err := json.Marshal(map[string]any{"status": node.Status})
	if err != nil {
		return err
	}
	if _, err := n.client.CoreV1().Nodes().PatchStatus(ctx, name, patch); err != nil {
		return fmt.Errorf("making a simulated node ready: %w", err)
	}
	_, err = n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: ptr(int32(40)), RenewTime: ptr(metav1.NowMicro())},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("making the lease of a simulated node: %w", err)
	}
	return nil
}

func ready() corev1.NodeCondition {
	return corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Simulated",
		LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
	}
}

// beat keeps the nodes alive for the node controller.
func (n *Nodes) beat(ctx context.Context) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, name := range n.names {
			patch, _ := json.Marshal(map[string]any{"spec": map[string]any{"renewTime": metav1.NowMicro()}})
			_, err := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
			if err != nil && ctx.Err() == nil {
				n.fail(fmt.Errorf("renewing the lease of node %s: %w", name, err))
			}
		}
	}
}

// remove takes the nodes out of the cluster.
func (n *Nodes) remove(ctx context.Context) error {
	for _, name := range n.names {
		// The lease goes with its node if the garbage collector knows of it; these have no owner.
		if err := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			n.fail(fmt.Errorf("removing the lease of node %s: %w", name, err))
		}
		if err := n.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			n.fail(fmt.Errorf("removing node %s: %w", name, err))
		}
	}
	var group errgroup.Group
	for _, a := range n.stores {
		group.Go(a.close)
	}
	if err := group.Wait(); err != nil {
		n.fail(err)
	}
	if len(n.failures) == 0 {
		return nil
	}
	return fmt.Errorf("simulating pods: %d times, the first: %w", len(n.failures), n.failures[0])
}

func (n *Nodes) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failures = append(n.failures, err)
}

func ptr[T any](v T) *T { return &v }
