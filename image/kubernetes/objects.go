package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/image/buildkit"
)

const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelBuilder   = "proa.dev/image-builder"
	labelSecurity  = "pod-security.kubernetes.io/enforce"
	managedBy      = "proa"
	namePrefix     = "proa-builder-"
	container      = "buildkit"
	port           = 1234

	annotationConfig = "proa.dev/buildkitd.toml"
	annotationCA     = "proa.dev/registry-ca.pem"
	configDir        = "/etc/proa-builder"
	configFile       = "buildkitd.toml"
	caFile           = "registry-ca.pem"

	// userID is the user of the official rootless image, and stateDir where its BuildKit keeps layers.
	userID   = 1000
	stateDir = "/home/user/.local/share/buildkit"
	// ttl leaves time to read why a builder ended.
	ttl = time.Minute
)

// BuildNamespace is one whose pods may run BuildKit, which the Pod Security levels "baseline" and "restricted" don't let.
func BuildNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedBy, labelSecurity: "privileged"}},
	}
}

// buildJob is the Job of one builder, which ends after lease unless that is put off.
func (cfg Config) buildJob(name string, route buildkit.Route, lease time.Duration) *batchv1.Job {
	labels := map[string]string{labelManagedBy: managedBy, labelBuilder: name}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: cfg.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr(int32(0)), TTLSecondsAfterFinished: ptr(int32(ttl.Seconds())), ActiveDeadlineSeconds: ptr(int64(lease.Seconds())),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: cfg.annotations(route)},
				Spec:       cfg.buildPod(route),
			},
		},
	}
}

// keptName names a builder that is kept by all that it is made of: who wants another one makes another one.
func (cfg Config) keptName(route buildkit.Route) (string, error) {
	data, err := json.Marshal(cfg.buildJob("", route, 0).Spec.Template)
	if err != nil {
		return "", fmt.Errorf("naming the image builder: %w", err)
	}
	sum := sha256.Sum256(data)
	return namePrefix + hex.EncodeToString(sum[:10]), nil
}

// annotations hold the configuration, which the pod sees as files: so the Job is the one object that there is.
func (cfg Config) annotations(route buildkit.Route) map[string]string {
	all := map[string]string{annotationConfig: cfg.daemonConfig(route)}
	if len(route.CA) > 0 {
		all[annotationCA] = string(route.CA)
	}
	return all
}

// daemonConfig is BuildKit's configuration file. What the images call the registry it may know by another address.
func (cfg Config) daemonConfig(route buildkit.Route) string {
	var b strings.Builder
	if route.Inside != "" && route.Inside != route.Host {
		fmt.Fprintf(&b, "[registry.%q]\n  mirrors = [%q]\n", route.Host, route.Inside)
	}
	if route.HTTP || len(route.CA) > 0 {
		fmt.Fprintf(&b, "[registry.%q]\n", route.Address())
		if route.HTTP {
			b.WriteString("  http = true\n")
		}
		if len(route.CA) > 0 {
			fmt.Fprintf(&b, "  ca = [%q]\n", configDir+"/"+caFile)
		}
	}
	for _, registry := range cfg.PlainHTTP {
		if registry != route.Address() {
			fmt.Fprintf(&b, "[registry.%q]\n  http = true\n", registry)
		}
	}
	return b.String()
}

func (cfg Config) buildPod(route buildkit.Route) corev1.PodSpec {
	storage := &corev1.EmptyDirVolumeSource{}
	if cfg.Storage != "" {
		storage.SizeLimit = ptr(resource.MustParse(cfg.Storage))
	}
	files := []corev1.DownwardAPIVolumeFile{annotated(configFile, annotationConfig)}
	if len(route.CA) > 0 {
		files = append(files, annotated(caFile, annotationCA))
	}
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  ptr(false),
		EnableServiceLinks:            ptr(false),
		TerminationGracePeriodSeconds: ptr(int64(5)),
		ServiceAccountName:            cfg.ServiceAccount,
		NodeSelector:                  cfg.NodeSelectors,
		Tolerations:                   cfg.Tolerations,
		SecurityContext:               &corev1.PodSecurityContext{RunAsUser: ptr(int64(userID)), RunAsGroup: ptr(int64(userID)), FSGroup: ptr(int64(userID))},
		Containers:                    []corev1.Container{cfg.buildContainer()},
		Volumes: []corev1.Volume{
			{Name: "state", VolumeSource: corev1.VolumeSource{EmptyDir: storage}},
			{Name: "config", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: files}}},
		},
	}
}

func annotated(file, annotation string) corev1.DownwardAPIVolumeFile {
	return corev1.DownwardAPIVolumeFile{Path: file, FieldRef: &corev1.ObjectFieldSelector{FieldPath: fmt.Sprintf("metadata.annotations['%s']", annotation)}}
}

// buildContainer runs BuildKit as an ordinary user. To make a user namespace, and to mount in it, takes system calls that a
// runtime's usual seccomp and AppArmor profiles forbid, and programs that gain a right of their own. That a build sees BuildKit's
// processes is since Kubernetes masks /proc.
func (cfg Config) buildContainer() corev1.Container {
	security := &corev1.SecurityContext{
		SeccompProfile:  &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined},
		AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
	}
	if cfg.Privileged {
		security = &corev1.SecurityContext{Privileged: ptr(true)}
	}
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")}
	resources := *cfg.Resources.DeepCopy()
	if resources.Requests == nil && resources.Limits == nil {
		resources.Requests = requests
	}
	return corev1.Container{
		Name: container, Image: cfg.Image,
		Args: []string{fmt.Sprintf("--addr=tcp://127.0.0.1:%d", port), "--config=" + configDir + "/" + configFile,
			"--oci-worker-no-process-sandbox"},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Resources:                resources,
		SecurityContext:          security,
		VolumeMounts: []corev1.VolumeMount{
			{Name: "state", MountPath: stateDir},
			{Name: "config", MountPath: configDir, ReadOnly: true},
		},
	}
}

func ptr[T any](value T) *T { return &value }
