package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proa-ml/proa/internal/podstatus"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/step"
)

// Period is a span of time, given as a number of seconds or as a text such as "90s" or "10m".
type Period time.Duration

// ParsePeriod reads a period.
func ParsePeriod(text string) (Period, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n < 1e9 {
		return Period(n * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no span of time: write seconds (600) or a text such as \"10m\"", text)
	}
	return Period(d), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Period) UnmarshalJSON(data []byte) (err error) {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	*p, err = ParsePeriod(text)
	return err
}

// MarshalJSON implements json.Marshaler.
func (p Period) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(p).String()) }

// usualReasons are the reasons for which a container waits that fail the attempt unless its settings say otherwise, and
// how long each is given to pass. A registry that throttles, or a network that is down, may come back; what a registry
// definitely answers seldom changes (see pulling).
var usualReasons = WaitingReasons{
	"InvalidImageName": 0, "ErrImageNeverPull": 0,
	"ErrImagePull": Period(pullGrace), "ImagePullBackOff": Period(pullGrace), "RegistryUnavailable": Period(pullGrace),
	"ImageInspectError": Period(pullGrace), "SignatureValidationFailed": Period(pullGrace),
	"CreateContainerConfigError": Period(configGrace), "CreateContainerError": Period(configGrace), "RunContainerError": Period(configGrace),
}

// pullReasons are the names under which one failing pull is told.
var pullReasons = []string{"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed"}

// WaitingReasons says for which reasons of a waiting container an attempt fails, and how long after they were first seen.
// In JSON it is a list of reasons with their usual times, or an object with a time for each.
type WaitingReasons map[string]Period

// ParseWaitingReasons reads reasons, and names an unknown one.
func ParseWaitingReasons(data []byte) (WaitingReasons, error) {
	w := WaitingReasons{}
	var list []string
	if json.Unmarshal(data, &list) == nil {
		for _, reason := range list {
			w[reason] = usualReasons[reason]
		}
	} else if err := json.Unmarshal(data, (*map[string]Period)(&w)); err != nil {
		return nil, fmt.Errorf("write a list of reasons, or an object with a time for each: %w", err)
	}
	known := slices.Sorted(maps.Keys(usualReasons))
	for _, reason := range slices.Sorted(maps.Keys(w)) {
		if !slices.Contains(known, reason) {
			hint := ""
			if near := strict.Nearest(reason, known); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			return nil, fmt.Errorf("unknown reason %q%s (known: %s)", reason, hint, strings.Join(known, ", "))
		}
	}
	return w, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *WaitingReasons) UnmarshalJSON(data []byte) (err error) {
	*w, err = ParseWaitingReasons(data)
	return err
}

// graceOf returns how long a reason is given, and whether it fails the attempt at all.
func (w WaitingReasons) graceOf(reason string) (time.Duration, bool) {
	if slices.Contains(pullReasons, reason) {
		shortest, any := time.Duration(0), false
		for _, same := range pullReasons {
			if p, ok := w[same]; ok && (!any || time.Duration(p) < shortest) {
				shortest, any = time.Duration(p), true
			}
		}
		return shortest, any
	}
	p, ok := w[reason]
	return time.Duration(p), ok
}

// The annotations by which a pod carries what its settings say about waiting, so that a restarted coordinator knows it.
const (
	annotationPendingTimeout = "proa.dev/pending-timeout"
	annotationWaitingReasons = "proa.dev/fail-on-waiting"
)

// annotateWaiting notes on a pod what its settings say about waiting.
func annotateWaiting(pod *corev1.Pod, s Settings) error {
	if s.PendingTimeout > 0 {
		pod.Annotations[annotationPendingTimeout] = time.Duration(s.PendingTimeout).String()
	}
	if s.WaitingReasons == nil {
		return nil
	}
	data, err := json.Marshal(*s.WaitingReasons)
	pod.Annotations[annotationWaitingReasons] = string(data)
	return err
}

func waitingReasonsOf(pod *corev1.Pod) WaitingReasons {
	if text, ok := pod.Annotations[annotationWaitingReasons]; ok {
		if w, err := ParseWaitingReasons([]byte(text)); err == nil {
			return w
		}
	}
	return usualReasons
}

// pendingLimit is what becomes of a pod that doesn't run in time. A pod that is held back on purpose has all the time.
func pendingLimit(pod *corev1.Pod, reason string) *doubt {
	limit, err := time.ParseDuration(pod.Annotations[annotationPendingTimeout])
	if c := podstatus.Condition(pod, corev1.PodScheduled); err != nil || c != nil && c.Reason == corev1.PodReasonSchedulingGated {
		return nil
	}
	return &doubt{grace: limit, failure: step.Failure{Kind: step.FailureUnschedulable, Type: "PendingTimeout", Message: fmt.Sprintf(
		"the pod did not run within %s: %s", limit, reason)}}
}
