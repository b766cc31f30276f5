package kubernetes

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/orchestrator/driver"
)

const (
	labelEnforce = "pod-security.kubernetes.io/enforce"
	// The Pod Security levels that refuse something.
	levelRestricted, levelBaseline = "restricted", "baseline"
)

// Admits reports whether the namespace's Pod Security level would refuse the pod of one of the attempts, before anything is
// built for it. It knows what settings can ask for; the cluster has the last word.
func (c *Client) Admits(ctx context.Context, attempts []driver.Attempt) error {
	level, err := c.level(ctx)
	if err != nil || level == "" {
		return err
	}
	for _, a := range attempts {
		pod, err := BuildPod(Config{Namespace: c.namespace}, a)
		if err != nil {
			return err
		}
		if wrong := violations(&pod.Spec, level); len(wrong) > 0 {
			return fmt.Errorf("step %q would %s, which the Pod Security level %q of namespace %q refuses (take that back, or have the namespace's label %s changed)",
				a.Step, strings.Join(wrong, " and "), level, c.namespace, labelEnforce)
		}
	}
	return nil
}

// level is the namespace's Pod Security level; empty if it has none, or may not be looked at. A namespace that isn't there
// yet will be made with the strictest.
func (c *Client) level(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.client.CoreV1().Namespaces().Get(ctx, c.namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return levelRestricted, nil
	case apierrors.IsForbidden(err):
		return "", nil
	case err != nil:
		return "", c.unreached(err)
	}
	return found.Labels[labelEnforce], nil
}

// violations says in words what of a pod a level refuses.
func violations(pod *corev1.PodSpec, level string) (wrong []string) {
	add := func(is bool, what string) {
		if is {
			wrong = append(wrong, what)
		}
	}
	if level != levelRestricted && level != levelBaseline {
		return nil
	}
	security := pod.SecurityContext
	if security == nil {
		security = &corev1.PodSecurityContext{}
	}
	add(level == levelRestricted && (isFalse(security.RunAsNonRoot) || security.RunAsUser != nil && *security.RunAsUser == 0), "run as root")
	add(pod.HostIPC || pod.HostNetwork || pod.HostPID, "share its node's namespaces")
	for _, v := range pod.Volumes {
		add(v.HostPath != nil, fmt.Sprintf("mount its node's path %s", pathOf(v)))
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil {
			continue
		}
		add(isTrue(s.Privileged), "be privileged")
		add(level == levelRestricted && !isTrue(s.Privileged) && isTrue(s.AllowPrivilegeEscalation), "be allowed to escalate its privileges")
		add(level == levelRestricted && s.RunAsUser != nil && *s.RunAsUser == 0, "run as root")
	}
	return wrong
}

func pathOf(v corev1.Volume) string {
	if v.HostPath == nil {
		return ""
	}
	return v.HostPath.Path
}

func isTrue(b *bool) bool { return b != nil && *b }

func isFalse(b *bool) bool { return b != nil && !*b }
