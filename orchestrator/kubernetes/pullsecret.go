package kubernetes

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// envPullSecret names the Secret that the coordinator has the pods of steps pull their images with; unset if there is none.
const envPullSecret = "PROA_PULL_SECRET"

// pullName is the name of a run's Secret for pulling images.
func pullName(run string) string { return ObjectName(run) + "-pull" }

// buildPullSecret returns the Secret that nodes pull the run's images with.
func buildPullSecret(namespace string, s Submission, owner Owner) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: pullName(s.Run), Namespace: namespace, Labels: runLabels(s), OwnerReferences: jobOwner(owner),
		},
		Immutable: ptr(true),
		Type:      corev1.SecretTypeDockerConfigJson,
		Data:      map[string][]byte{corev1.DockerConfigJsonKey: s.PullConfig},
	}
}

// pullSecrets refers to a Secret for pulling images, if there is one.
func pullSecrets(name string) []corev1.LocalObjectReference {
	if name == "" {
		return nil
	}
	return []corev1.LocalObjectReference{{Name: name}}
}
