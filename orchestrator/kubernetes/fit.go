package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/step"
)

// The values of the setting isolation: a pod for each attempt, or pods that take one attempt after the other.
const (
	IsolationPod  = "pod"
	IsolationWarm = "warm"
)

// The annotations of a warm pod: the attempt that it runs, or ran last, and the hash of its template.
const (
	annotationTenant = "proa.dev/tenant"
	annotationFit    = "proa.dev/fit"
)

// warm makes an attempt's pod one that can take further attempts, of which fit says which they may be, if its settings
// allow that.
func warm(pod *corev1.Pod) error {
	if !shareable(pod) {
		return nil
	}
	fit, err := fitOf(pod)
	if err != nil {
		return err
	}
	c := &pod.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: step.PodEnv, Value: pod.Name})
	pod.Annotations[annotationFit], pod.Annotations[annotationTenant] = fit, pod.Name
	return nil
}

// shareable reports whether attempts can share a pod. A deadline would be that of all of them together, and what is
// mounted below the folder for temporary files could not be told from what an attempt has left there.
func shareable(pod *corev1.Pod) bool {
	if pod.Spec.ActiveDeadlineSeconds != nil {
		return false
	}
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		if strings.HasPrefix(path.Clean(m.MountPath), tmpDir+"/") {
			return false
		}
	}
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == tmpName && v.EmptyDir != nil })
}

// fitOf is equal for pods that differ in nothing but the attempt that they were made for.
func fitOf(pod *corev1.Pod) (string, error) {
	like := *pod
	like.Name = ""
	like.Labels, like.Annotations = maps.Clone(pod.Labels), maps.Clone(pod.Annotations)
	for _, own := range []string{LabelStep, LabelAttempt} {
		delete(like.Labels, own)
		delete(like.Annotations, own)
	}
	like.Spec.Containers = slices.Clone(pod.Spec.Containers)
	c := &like.Spec.Containers[0]
	c.Env = slices.DeleteFunc(slices.Clone(c.Env), func(v corev1.EnvVar) bool { return v.Name == step.AttemptEnv })
	data, err := json.Marshal(like)
	if err != nil {
		return "", fmt.Errorf("encoding the pod's template: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16]), nil
}

// tenantOf is the attempt that a pod runs, as far as the pod itself says.
func tenantOf(pod *corev1.Pod) string {
	if tenant := pod.Annotations[annotationTenant]; tenant != "" {
		return tenant
	}
	return pod.Name
}

// pointer is a name as a part of a JSON pointer.
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// handOver is the JSON patch that makes a pod the next attempt's, provided that it still is the last one's: two
// coordinators can't both have it.
func handOver(pod *corev1.Pod, last string) ([]byte, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	patch := []operation{{"test", "/metadata/annotations/" + pointer(annotationTenant), last}}
	for name, value := range map[string]string{
		annotationTenant: pod.Name, annotationStep: pod.Annotations[annotationStep],
	} {
		patch = append(patch, operation{"replace", "/metadata/annotations/" + pointer(name), value})
	}
	for _, name := range []string{LabelStep, LabelAttempt} {
		patch = append(patch, operation{"replace", "/metadata/labels/" + pointer(name), pod.Labels[name]})
	}
	return json.Marshal(patch)
}
