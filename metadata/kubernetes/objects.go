package kubernetes

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The labels of all objects.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelServer    = "proa.dev/metadata-store"
	managedBy      = "proa"
)

// The keys of the Secret. The server reads its passwords from files, so that they stand in no environment.
const (
	keyRootPassword = "root-password"
	keyPassword     = "password"
	keyClient       = "client.cnf"
)

const (
	database  = "proa"
	user      = "proa"
	port      = 3306
	secretDir = "/etc/proa-database"
	dataDir   = "/var/lib/mysql"
	container = "server"
	// serverID is the user of the official images of MySQL and MariaDB.
	serverID = 999
)

// probe asks the server a question as proa's own user; the client has one name in MySQL's image and another in MariaDB's.
const probe = `exec "$(command -v mysql || command -v mariadb)" --defaults-file=` + secretDir + "/" + keyClient + ` --execute="SELECT 1" ` + database

func (cfg Config) labels() map[string]string {
	return map[string]string{labelManagedBy: managedBy, labelServer: cfg.Name}
}

// Pods are the labels of the server's pods, and the port that they serve.
func (s *Server) Pods() (labels map[string]string, servedPort int) { return s.cfg.labels(), port }

func (cfg Config) selector() string { return labelServer + "=" + cfg.Name }

func (cfg Config) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: cfg.Name, Namespace: cfg.Namespace, Labels: cfg.labels()}
}

func (cfg Config) buildNamespace() *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: cfg.Namespace, Labels: map[string]string{
			labelManagedBy: managedBy, "pod-security.kubernetes.io/enforce": "restricted"}},
	}
}

func (cfg Config) buildSecret(rootPassword, password string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: cfg.meta(),
		Type:       corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			keyRootPassword: []byte(rootPassword), keyPassword: []byte(password),
			keyClient: []byte("[client]\nhost=127.0.0.1\nprotocol=tcp\nuser=" + user + "\npassword=" + password + "\n"),
		},
	}
}

func (cfg Config) buildClaim() *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: cfg.meta(),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(cfg.Capacity)}},
		},
	}
	if cfg.StorageClass != "" {
		claim.Spec.StorageClassName = &cfg.StorageClass
	}
	return claim
}

func (cfg Config) buildService() *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: cfg.meta(),
		Spec: corev1.ServiceSpec{
			Selector: cfg.labels(),
			Ports:    []corev1.ServicePort{{Name: "mysql", Port: port, TargetPort: intstr.FromInt32(port), Protocol: corev1.ProtocolTCP}},
		},
	}
}

func (cfg Config) buildDeployment() *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: cfg.meta(),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: cfg.labels()},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, // two servers must not share a volume
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: cfg.labels()}, Spec: cfg.buildPod()},
		},
	}
}

// buildPod passes the Pod Security level "restricted".
func (cfg Config) buildPod() corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken:  ptr(false),
		EnableServiceLinks:            ptr(false),
		TerminationGracePeriodSeconds: ptr(int64(60)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr(true), RunAsUser: ptr(int64(serverID)), RunAsGroup: ptr(int64(serverID)),
			FSGroup: ptr(int64(serverID)), FSGroupChangePolicy: ptr(corev1.FSGroupChangeOnRootMismatch),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{cfg.buildContainer()},
		Volumes: []corev1.Volume{
			{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: cfg.Name}}},
			{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: cfg.Name, DefaultMode: ptr(int32(0o440))}}},
		},
	}
}

func (cfg Config) buildContainer() corev1.Container {
	return corev1.Container{
		Name: container, Image: cfg.Image,
		Env: []corev1.EnvVar{
			{Name: "MYSQL_ROOT_PASSWORD_FILE", Value: secretDir + "/" + keyRootPassword},
			{Name: "MYSQL_DATABASE", Value: database},
			{Name: "MYSQL_USER", Value: user},
			{Name: "MYSQL_PASSWORD_FILE", Value: secretDir + "/" + keyPassword},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Ports:                    []corev1.ContainerPort{{Name: "mysql", ContainerPort: port, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("512Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", probe}}},
			PeriodSeconds: 2, TimeoutSeconds: 5, SuccessThreshold: 1, FailureThreshold: 3,
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{
			// A folder within the volume, for the root of a new one may hold lost+found.
			{Name: "data", MountPath: dataDir, SubPath: "mysql"},
			{Name: "secret", MountPath: secretDir, ReadOnly: true},
		},
	}
}

func ptr[T any](value T) *T { return &value }
