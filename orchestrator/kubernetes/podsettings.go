package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/proa-ml/proa/internal/strict"
)

// PodSettings tune the pods of steps. The names are ZenML's; what is inside of a field is as in a pod's manifest.
type PodSettings struct {
	NodeSelectors     map[string]string            `json:"node_selectors,omitempty"`
	Affinity          *corev1.Affinity             `json:"affinity,omitempty"`
	Tolerations       []corev1.Toleration          `json:"tolerations,omitempty"`
	Resources         *corev1.ResourceRequirements `json:"resources,omitempty"`
	Annotations       map[string]string            `json:"annotations,omitempty"`
	Labels            map[string]string            `json:"labels,omitempty"`
	Volumes           []corev1.Volume              `json:"volumes,omitempty"`
	VolumeMounts      []corev1.VolumeMount         `json:"volume_mounts,omitempty"`
	Env               []corev1.EnvVar              `json:"env,omitempty"`
	EnvFrom           []corev1.EnvFromSource       `json:"env_from,omitempty"`
	ImagePullSecrets  []string                     `json:"image_pull_secrets,omitempty"`
	HostIPC           bool                         `json:"host_ipc,omitempty"`
	SchedulerName     string                       `json:"scheduler_name,omitempty"`
	PriorityClassName string                       `json:"priority_class_name,omitempty"`
	RuntimeClassName  string                       `json:"runtime_class_name,omitempty"`
	// SecurityContext replaces the container's, which is what the Pod Security level "restricted" asks for.
	SecurityContext *corev1.SecurityContext `json:"security_context,omitempty"`
	// InitContainers run one after the other before the step's container, Sidecars beside it; they are ended after it. In
	// their image, ImagePlaceholder stands for the step's own.
	InitContainers []corev1.Container `json:"init_containers,omitempty"`
	Sidecars       []corev1.Container `json:"sidecars,omitempty"`
	// AdditionalPodSpecArgs is a strategic merge patch of the pod's spec, applied last: any field of a PodSpec.
	AdditionalPodSpecArgs map[string]json.RawMessage `json:"additional_pod_spec_args,omitempty"`
}

// ImagePlaceholder stands for the image of the step.
const ImagePlaceholder = "{{ image }}"

// ParsePodSettings reads pod settings from JSON, and names an unknown field.
func ParsePodSettings(data []byte) (PodSettings, error) {
	var s PodSettings
	if err := strict.JSON(data, &s); err != nil {
		return s, err
	}
	if len(s.AdditionalPodSpecArgs) > 0 {
		args, err := json.Marshal(s.AdditionalPodSpecArgs)
		if err != nil {
			return s, err
		}
		if err := strict.JSON(args, &corev1.PodSpec{}); err != nil {
			return s, fmt.Errorf("additional_pod_spec_args: %w", err)
		}
	}
	return s, nil
}

// applyPodSettings applies settings given as JSON, if there are any.
func applyPodSettings(pod *corev1.Pod, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	settings, err := ParsePodSettings(data)
	if err != nil {
		return err
	}
	return settings.apply(pod)
}

// apply changes a pod. What makes it proa's pod, its own labels and environment, stays.
func (s PodSettings) apply(pod *corev1.Pod) error {
	pod.Labels = under(s.Labels, pod.Labels)
	pod.Annotations = under(s.Annotations, pod.Annotations)
	spec := &pod.Spec
	spec.NodeSelector = s.NodeSelectors
	spec.Affinity = s.Affinity
	spec.Tolerations = s.Tolerations
	spec.Volumes = append(spec.Volumes, s.Volumes...)
	spec.HostIPC = s.HostIPC
	spec.SchedulerName = s.SchedulerName
	spec.PriorityClassName = s.PriorityClassName
	if s.RuntimeClassName != "" {
		spec.RuntimeClassName = ptr(s.RuntimeClassName)
	}
	for _, name := range s.ImagePullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	s.applyContainer(&spec.Containers[0])
	s.addContainers(spec)
	return s.patch(spec)
}

func (s PodSettings) applyContainer(c *corev1.Container) {
	c.Env = append(slices.Clone(s.Env), c.Env...) // of two variables of one name the later one counts
	c.EnvFrom = s.EnvFrom
	c.VolumeMounts = append(c.VolumeMounts, s.VolumeMounts...)
	if s.SecurityContext != nil {
		c.SecurityContext = s.SecurityContext
	}
	if s.Resources != nil {
		c.Resources.Requests = over(c.Resources.Requests, s.Resources.Requests)
		c.Resources.Limits = over(c.Resources.Limits, s.Resources.Limits)
		c.Resources.Claims = append(c.Resources.Claims, s.Resources.Claims...)
	}
}

// addContainers adds the containers before and beside the step's. A sidecar is an init container that goes on, which the
// kubelet ends once the step's container has ended. They are as unprivileged as it, unless they say otherwise.
func (s PodSettings) addContainers(spec *corev1.PodSpec) {
	add := func(c corev1.Container) {
		if strings.ReplaceAll(c.Image, " ", "") == strings.ReplaceAll(ImagePlaceholder, " ", "") {
			c.Image = spec.Containers[0].Image
		}
		if c.SecurityContext == nil {
			c.SecurityContext = restrictedContainer()
		}
		spec.InitContainers = append(spec.InitContainers, c)
	}
	for _, c := range s.Sidecars {
		c.RestartPolicy = ptr(corev1.ContainerRestartPolicyAlways)
		add(c)
	}
	for _, c := range s.InitContainers {
		add(c)
	}
}

func (s PodSettings) patch(spec *corev1.PodSpec) error {
	if len(s.AdditionalPodSpecArgs) == 0 {
		return nil
	}
	before, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	args, err := json.Marshal(s.AdditionalPodSpecArgs)
	if err != nil {
		return err
	}
	after, err := strategicpatch.StrategicMergePatch(before, args, corev1.PodSpec{})
	if err != nil {
		return fmt.Errorf("additional_pod_spec_args: %w", err)
	}
	*spec = corev1.PodSpec{}
	return json.Unmarshal(after, spec)
}

// under returns the union of two maps, in which ours goes before theirs.
func under[M ~map[string]string](theirs, ours M) M {
	union := maps.Clone(ours)
	for key, value := range theirs {
		if _, set := ours[key]; !set {
			union[key] = value
		}
	}
	return union
}

// over returns the union of two lists of resources, in which theirs goes before ours.
func over(ours, theirs corev1.ResourceList) corev1.ResourceList {
	if len(theirs) == 0 {
		return ours
	}
	union := maps.Clone(theirs)
	for name, quantity := range ours {
		if _, set := theirs[name]; !set {
			union[name] = quantity
		}
	}
	return union
}
