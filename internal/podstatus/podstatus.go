// Package podstatus reads what the status of a pod says, for those who wait for one: steps, the database's server, image
// builders.
package podstatus

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// longest is the most characters of a message that OneLine keeps.
const longest = 400

// OneLine cuts a message of the cluster to one line of bearable length.
func OneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// Condition returns a pod's condition of that kind, or nil.
func Condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// PullRefused reports whether the message of a pull that failed says that it will always fail: the registry has answered, and
// doesn't give the image.
func PullRefused(message string) bool {
	message = strings.ToLower(message)
	for _, words := range []string{"not found", "unauthorized", "denied", "forbidden", "manifest unknown", "no match for platform"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
