package kubernetes

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/step"
)

const (
	// coordinatorGrace is what a coordinator gets to end. It has nothing to save: every fact is recorded already.
	coordinatorGrace = 5

	labelJobUID = "batch.kubernetes.io/controller-uid"
)

// buildJob returns the Job that keeps a run's coordinator running.
func buildJob(namespace string, s Submission) (*batchv1.Job, error) {
	settings, err := ParseRunSettings(s.Settings)
	if err != nil {
		return nil, err
	}
	meta := metav1.ObjectMeta{
		Name: jobName(settings.JobNamePrefix, s.Run), Namespace: namespace,
		Labels:      runLabels(s),
		Annotations: map[string]string{annotationRunName: s.RunName, annotationPipeline: s.Pipeline},
	}
	podMeta := metav1.ObjectMeta{Labels: runLabels(s), Annotations: meta.Annotations}
	podMeta.Labels[LabelComponent] = componentCoordinator
	pod := &corev1.Pod{ObjectMeta: podMeta, Spec: coordinatorPod(s, settings)}
	if err := applyPodSettings(pod, settings.PodSettings); err != nil {
		return nil, fmt.Errorf("orchestrator_pod_settings: %w", err)
	}
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: meta,
		Spec: batchv1.JobSpec{
			BackoffLimit:            settings.backoff(),
			TTLSecondsAfterFinished: settings.ttl(),
			ActiveDeadlineSeconds:   settings.deadline(),
			// A coordinator whose node doesn't answer is replaced without waiting for its end, which nobody would tell. Should it
			// live on unseen, it is fenced: whoever takes the run's lease is the only one who can record anything.
			PodReplacementPolicy: ptr(batchv1.TerminatingOrFailed),
			Template:             corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec},
		},
	}, nil
}

func coordinatorPod(s Submission, settings RunSettings) corev1.PodSpec {
	pod := restrictedPod()
	pod.RestartPolicy = corev1.RestartPolicyOnFailure
	if len(s.PullConfig) > 0 {
		pod.ImagePullSecrets = pullSecrets(pullName(s.Run))
	}
	pod.ServiceAccountName = settings.account()
	pod.AutomountServiceAccountToken = ptr(true)
	pod.TerminationGracePeriodSeconds = ptr(int64(coordinatorGrace))
	pod.Volumes = []corev1.Volume{
		tmpVolume(), secretVolume("secret", ObjectName(s.Run), keyConfig, keyAccess, keyCertificate, keyPrivate),
	}
	pod.Containers = []corev1.Container{{
		Name:  componentCoordinator,
		Image: s.CoordinatorImage,
		Args:  s.CoordinatorArgs,
		Env:   coordinatorEnv(s, settings),
		Ports: []corev1.ContainerPort{{Name: "channel", ContainerPort: step.ChannelPort}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
		}},
		SecurityContext:          restrictedContainer(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts: []corev1.VolumeMount{
			{Name: "tmp", MountPath: "/tmp"},
			{Name: "secret", MountPath: SecretDir, ReadOnly: true},
		},
	}}
	return pod
}

func coordinatorEnv(s Submission, settings RunSettings) []corev1.EnvVar {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			APIVersion: "v1", FieldPath: path,
		}}}
	}
	env := []corev1.EnvVar{
		{Name: step.RunEnv, Value: s.Run},
		{Name: envJob, Value: jobName(settings.JobNamePrefix, s.Run)},
		field(envJobUID, "metadata.labels['"+labelJobUID+"']"),
		field(envNamespace, "metadata.namespace"),
		field(EnvPodName, "metadata.name"),
		field(envPodIP, "status.podIP"),
	}
	if len(s.PullConfig) > 0 {
		env = append(env, corev1.EnvVar{Name: envPullSecret, Value: pullName(s.Run)})
	}
	if settings.KeepPods != "" {
		env = append(env, corev1.EnvVar{Name: envKeepPods, Value: settings.KeepPods})
	}
	return env
}

// buildSecret returns what the run's pods have to know. Pods of steps see nothing of it but the access file.
func buildSecret(namespace string, s Submission, owner Owner, access, certificate, private []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: ObjectName(s.Run), Namespace: namespace, Labels: runLabels(s), OwnerReferences: jobOwner(owner),
		},
		Immutable: ptr(true),
		Type:      corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			keyConfig: s.Config, keyAccess: access, keyCertificate: certificate, keyPrivate: private,
		},
	}
}

func runLabels(s Submission) map[string]string {
	return map[string]string{
		LabelManagedBy: managedBy,
		LabelRun:       labelValue(s.Run),
		LabelPipeline:  labelValue(s.Pipeline),
	}
}
