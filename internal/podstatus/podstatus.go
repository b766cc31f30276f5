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

// PullFailure tells why the image of a container that waits can't be pulled, and whether it is in vain to go on trying; empty
// if it isn't so.
func PullFailure(c corev1.ContainerStatus) (reason string, final bool) {
	if c.State.Waiting == nil {
		return "", false
	}
	switch message := c.State.Waiting.Message; c.State.Waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "InvalidImageName", "ImageInspectError":
		return "the image " + c.Image + " can't be pulled: " + OneLine(message),
			PullRefused(message) || strings.Contains(strings.ToLower(message), "invalid")
	}
	return "", false
}

// NotMade tells why a container that has an image can't be made; empty if it isn't so.
func NotMade(c corev1.ContainerStatus) string {
	if c.State.Waiting == nil {
		return ""
	}
	switch c.State.Waiting.Reason {
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return "its container can't be made: " + OneLine(c.State.Waiting.Message)
	}
	return ""
}

// LastWords are the last lines that a container printed before it ended, as far as its status has them.
func LastWords(end *corev1.ContainerStateTerminated) string {
	lines := strings.Split(strings.TrimSpace(end.Message), "\n")
	return OneLine(strings.Join(lines[max(0, len(lines)-3):], " / "))
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
