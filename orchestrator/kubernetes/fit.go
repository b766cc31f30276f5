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
	scratch, shareable := scratchOf(pod)
	if !shareable {
		return nil
	}
	c := &pod.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: step.ScratchEnv, Value: strings.Join(scratch, ":")})
	fit, err := fitOf(pod)
	if err != nil {
		return err
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: step.PodEnv, Value: pod.Name})
	pod.Annotations[annotationFit], pod.Annotations[annotationTenant] = fit, pod.Name
	return nil
}

// scratchOf returns the folders of a step's container that live no longer than its pod, to be emptied between attempts,
// and whether attempts can share the pod at all. They can't if it has a deadline, which would be that of all of them
// together, or if something could be left where it isn't found: in the image's own folders, in the node's IPC, or in a
// volume of which a part is another container's or holds other mounts.
func scratchOf(pod *corev1.Pod) (folders []string, shareable bool) {
	c := pod.Spec.Containers[0]
	if pod.Spec.ActiveDeadlineSeconds != nil || pod.Spec.HostIPC || !readOnly(c.SecurityContext) {
		return nil, false
	}
	for _, m := range c.VolumeMounts {
		switch fleeting := isFleeting(pod, m.Name); {
		case fleeting && m.ReadOnly:
		case fleeting && (m.SubPath != "" || m.SubPathExpr != "" || mountedElsewhere(pod, m.Name)):
			return nil, false
		case fleeting:
			folders = append(folders, path.Clean(m.MountPath))
		case path.Clean(m.MountPath) == memoryDir:
			return nil, false
		}
	}
	if !slices.Contains(folders, tmpDir) {
		return nil, false
	}
	if !slices.Contains(folders, memoryDir) {
		folders = append(folders, memoryDir) // every container has one
	}
	for _, m := range c.VolumeMounts {
		if slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(path.Clean(m.MountPath), f+"/") }) {
			return nil, false
		}
	}
	slices.Sort(folders)
	return folders, true
}

func readOnly(c *corev1.SecurityContext) bool {
	return c != nil && c.ReadOnlyRootFilesystem != nil && *c.ReadOnlyRootFilesystem
}

// isFleeting reports whether a volume lives no longer than its pod, and can be written to.
func isFleeting(pod *corev1.Pod, volume string) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == volume && (v.EmptyDir != nil || v.Ephemeral != nil)
	})
}

// mountedElsewhere reports whether other containers than the step's have a volume, too.
func mountedElsewhere(pod *corev1.Pod, volume string) bool {
	others := slices.Concat(pod.Spec.Containers[1:], pod.Spec.InitContainers)
	return slices.ContainsFunc(others, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume })
	})
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
