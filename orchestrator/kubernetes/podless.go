package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/proa-ml/proa/internal/podstatus"
)

// whyPodless says why a Job has no pod, which only events tell; empty if nothing keeps it from one. Whoever may not read events is
// told where they are.
func (c *Client) whyPodless(ctx context.Context, job string) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.client.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{
		"involvedObject.kind": "Job", "involvedObject.name": job, "reason": "FailedCreate",
	}.String()})
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Sprintf(": `kubectl describe job %s -n %s` tells why to whoever may list events", job, c.namespace)
	case err != nil || len(list.Items) == 0:
		return ""
	}
	last := slices.MaxFunc(list.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	words := podstatus.OneLine(last.Message)
	if advice := refusal(errors.New(last.Message)); advice != "" {
		words = advice + ": " + words
	}
	return ": " + words
}
