package cluster

import (
	"context"
	"fmt"
	"strings"
)

const trialName = "proa-cluster-trial"

// tryPod runs a pod that reaches by name and address all that a pod may need. Only then is the cluster up: a pod was scheduled, its
// image came from the registry, and names, services and the way to the host's side work.
func (s *starter) tryPod(ctx context.Context) error {
	const pods = "/api/v1/namespaces/default/pods"
	c, f := s.cluster, s.facts
	client, err := c.client(f)
	if err != nil {
		return err
	}
	if err := client.Delete(ctx, pods+"/"+trialName); err != nil {
		return err
	}
	if err := client.Apply(ctx, pods, trialName, c.trialPod(f)); err != nil {
		return err
	}
	succeeded := func(ctx context.Context) error { return client.PodSucceeded(ctx, pods+"/"+trialName) }
	if err := s.until(ctx, succeeded); err != nil {
		return fmt.Errorf("waiting for a trial pod: %w", err)
	}
	return client.Delete(ctx, pods+"/"+trialName)
}

func (c *Cluster) trialPod(f facts) object {
	targets := []string{`("kubernetes.default.svc.cluster.local", 443)`}
	for _, port := range []int{registryPort, s3Port, gcsPort, azurePort, mysqlPort} {
		targets = append(targets, fmt.Sprintf("(%q, %d)", f.namespace(c.state).Node(), port))
	}
	script := `import socket, sys, time
for target in [` + strings.Join(targets, ", ") + `]:
    for attempt in range(100):
        try:
            socket.create_connection(target, 2).close()
            break
        except OSError as error:
            reason = f"cannot reach {target[0]}:{target[1]}: {error}"
            time.sleep(0.1)
    else:
        open("/dev/termination-log", "w").write(reason)
        sys.exit(1)`
	return object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": trialName, "namespace": "default"},
		"spec": object{
			"restartPolicy": "Never", "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
			"containers": []object{{"name": "trial", "image": c.pythonImage(f), "command": []string{"python3", "-c", script}}},
		},
	}
}
