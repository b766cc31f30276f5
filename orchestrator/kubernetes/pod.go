package kubernetes

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/orchestrator/driver"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/step"
)

const (
	// launcherPath is where an image holds the launcher.
	launcherPath = "/opt/proa/bin/proa-step"
	// containerName is the name of the only container of our pods.
	containerName = "step"
	// tmpName and tmpDir are the volume for temporary files, and where it is.
	tmpName, tmpDir = "tmp", "/tmp"
	// memoryDir is where a container has its shared memory.
	memoryDir = "/dev/shm"
	// nonRoot is the user and group that our pods run as.
	nonRoot = int64(65532)
	// savingTime is what the launcher may take after the runner's own grace, to store the outcome.
	savingTime = 10 * time.Second
	// gpuResource is what a node offers graphics processors as.
	gpuResource = corev1.ResourceName("nvidia.com/gpu")
)

// BuildPod returns the pod of an attempt. It is pure: equal arguments give equal pods.
func BuildPod(c Config, a driver.Attempt) (*corev1.Pod, error) {
	requirements, err := resources(a.Resources)
	if err != nil {
		return nil, fmt.Errorf("step %q: %w", a.Step, err)
	}
	meta := metav1.ObjectMeta{
		Name:      a.Name,
		Namespace: c.Namespace,
		Labels: map[string]string{
			LabelManagedBy: managedBy,
			LabelComponent: componentStep,
			LabelRun:       labelValue(a.Run),
			LabelPipeline:  labelValue(a.Pipeline),
			LabelStep:      labelValue(a.Step),
			LabelAttempt:   fmt.Sprint(a.Number),
		},
		Annotations: map[string]string{
			annotationRunName:  a.RunName,
			annotationPipeline: a.Pipeline,
			annotationStep:     a.Step,
		},
		OwnerReferences: jobOwner(c.Job),
	}
	container := corev1.Container{
		Name:      containerName,
		Image:     a.Image,
		Command:   []string{launcherPath},
		Env:       stepEnv(c, a),
		Resources: requirements,
		// The end of the log goes into the pod's status if the container fails: a launcher that can't tell its outcome
		// can still say why.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          restrictedContainer(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: tmpName, MountPath: tmpDir},
			{Name: "access", MountPath: SecretDir, ReadOnly: true},
		},
	}
	pod := restrictedPod()
	pod.RestartPolicy = corev1.RestartPolicyNever
	pod.ImagePullSecrets = pullSecrets(c.PullSecret)
	pod.TerminationGracePeriodSeconds = ptr(seconds(a.Grace + savingTime))
	pod.Containers = []corev1.Container{container}
	pod.Volumes = []corev1.Volume{tmpVolume(), secretVolume("access", c.Secret, keyAccess)}
	if err := runAs(pod.SecurityContext, a.User); err != nil {
		return nil, fmt.Errorf("step %q: %w", a.Step, err)
	}
	made := &corev1.Pod{ObjectMeta: meta, Spec: pod}
	if err := shareMemory(made, a.Resources); err != nil {
		return nil, fmt.Errorf("step %q: %w", a.Step, err)
	}
	if err := tune(c, made, a); err != nil {
		return nil, fmt.Errorf("step %q: %w", a.Step, err)
	}
	return made, nil
}

// tune applies the attempt's settings to its pod.
func tune(c Config, pod *corev1.Pod, a driver.Attempt) error {
	s, err := ParseSettings(a.Settings)
	if err != nil {
		return err
	}
	if s.StepPodServiceAccountName != "" {
		pod.Spec.ServiceAccountName, pod.Spec.AutomountServiceAccountToken = s.StepPodServiceAccountName, ptr(true)
	}
	if s.Privileged {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr(true)}
	}
	if s.Queue != "" {
		pod.Labels[LabelQueue] = s.Queue
	}
	if err := annotateWaiting(pod, s); err != nil {
		return err
	}
	if err := applyPodSettings(pod, s.PodSettings); err != nil {
		return fmt.Errorf("pod_settings: %w", err)
	}
	if s.Isolation != IsolationPod && c.Coordinator != "" {
		return warm(pod)
	}
	return nil
}

// stepEnv tells the launcher what it is to do. Nothing of it is secret.
func stepEnv(c Config, a driver.Attempt) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: step.RunEnv, Value: a.Run},
		{Name: step.AttemptEnv, Value: a.Name},
		{Name: step.AccessEnv, Value: SecretDir + "/" + keyAccess},
	}
	if c.Coordinator != "" {
		env = append(env, corev1.EnvVar{Name: step.CoordinatorEnv, Value: c.Coordinator})
	}
	return env
}

// resources are requests and limits. Memory is limited to what is requested, since a node can't take it back; the
// processor is not limited, since it can be shared.
func resources(r *spec.Resources) (corev1.ResourceRequirements, error) {
	out := corev1.ResourceRequirements{}
	if r == nil {
		return out, nil
	}
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	if r.CPU != "" {
		q, err := resource.ParseQuantity(r.CPU)
		if err != nil {
			return out, fmt.Errorf("resources: cpu %q is not a quantity such as \"500m\" or \"2\": %w", r.CPU, err)
		}
		requests[corev1.ResourceCPU] = q
	}
	if r.Memory != "" {
		q, err := resource.ParseQuantity(r.Memory)
		if err != nil {
			return out, fmt.Errorf("resources: memory %q is not a quantity such as \"512Mi\" or \"2Gi\": %w", r.Memory, err)
		}
		requests[corev1.ResourceMemory], limits[corev1.ResourceMemory] = q, q
	}
	if r.EphemeralStorage != "" {
		q, err := resource.ParseQuantity(r.EphemeralStorage)
		if err != nil {
			return out, fmt.Errorf("resources: ephemeral_storage %q is not a quantity such as \"10Gi\": %w", r.EphemeralStorage, err)
		}
		requests[corev1.ResourceEphemeralStorage], limits[corev1.ResourceEphemeralStorage] = q, q
	}
	if r.GPU > 0 {
		name := gpuResource
		if r.GPUResource != "" {
			name = corev1.ResourceName(r.GPUResource)
		}
		q := *resource.NewQuantity(int64(r.GPU), resource.DecimalSI)
		requests[name], limits[name] = q, q
	}
	if len(requests) > 0 {
		out.Requests = maps.Clone(requests)
	}
	if len(limits) > 0 {
		out.Limits = limits
	}
	return out, nil
}

// shareMemory gives a pod the shared memory that its step asks for, which counts as memory of the pod.
func shareMemory(pod *corev1.Pod, r *spec.Resources) error {
	if r == nil || r.SharedMemory == "" {
		return nil
	}
	size, err := resource.ParseQuantity(r.SharedMemory)
	if err != nil {
		return fmt.Errorf("resources: shared_memory %q is not a quantity such as \"1Gi\": %w", r.SharedMemory, err)
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "shm", VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &size},
	}})
	c := &pod.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "shm", MountPath: memoryDir})
	return nil
}

// restrictedPod is a pod that the Pod Security level "restricted" admits, without a token of the cluster's API.
func restrictedPod() corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken: ptr(false),
		EnableServiceLinks:           ptr(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr(true),
			RunAsUser:      ptr(nonRoot),
			RunAsGroup:     ptr(nonRoot),
			FSGroup:        ptr(nonRoot),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// runAs has a pod run as the user, and group if it is said, that the image's settings name. Whether root may is up to the
// namespace.
func runAs(c *corev1.PodSecurityContext, user string) error {
	if user == "" {
		return nil
	}
	name, group, both := strings.Cut(user, ":")
	uid, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return fmt.Errorf("user %q is not a number", user)
	}
	gid := uid
	if both {
		if gid, err = strconv.ParseInt(group, 10, 64); err != nil {
			return fmt.Errorf("user %q: the group is not a number", user)
		}
	}
	c.RunAsUser, c.RunAsGroup, c.FSGroup, c.RunAsNonRoot = ptr(uid), ptr(gid), ptr(gid), ptr(uid != 0)
	return nil
}

func restrictedContainer() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr(false),
		ReadOnlyRootFilesystem:   ptr(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func tmpVolume() corev1.Volume {
	return corev1.Volume{Name: tmpName, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

// secretVolume mounts the named keys of a Secret, readable by the pod's user only.
func secretVolume(name, secret string, keys ...string) corev1.Volume {
	source := &corev1.SecretVolumeSource{SecretName: secret, DefaultMode: ptr(int32(0o440))}
	for _, key := range keys {
		source.Items = append(source.Items, corev1.KeyToPath{Key: key, Path: key})
	}
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: source}}
}

func jobOwner(job Owner) []metav1.OwnerReference {
	if job.UID == "" {
		return nil
	}
	return []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: types.UID(job.UID)}}
}

// seconds rounds up, so that a short grace is not none.
func seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

func ptr[T any](v T) *T { return &v }
