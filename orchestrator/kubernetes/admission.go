package kubernetes

import (
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A namespace's rules refuse an object with all kinds of status codes, so they are told apart by their words.
var (
	limitRangeWords = regexp.MustCompile(`((maximum|minimum) \S+ usage|limit to request ratio) per (Container|Pod)`)
	permissionWords = regexp.MustCompile(`User "[^"]*" cannot `)
	quotaAmounts    = regexp.MustCompile(`([\w./-]+)=(\w[\w.]*)`)
)

// refusal says, if an error is the answer of a rule of the cluster or the namespace, whose, and what to do about it.
func refusal(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	has := func(words ...string) bool {
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return true
	}
	switch {
	case has("error looking up service account"):
		return "the service account does not exist: create it, or correct step_pod_service_account_name"
	case has("violates PodSecurity"):
		return "the namespace's Pod Security level refuses it: have its label pod-security.kubernetes.io/enforce changed, or take back the setting"
	case has("admission webhook", "denied the request"):
		return "an admission webhook refuses it: change what it names, or ask who runs the cluster"
	case has("ValidatingAdmissionPolicy", "denied request"):
		return "an admission policy refuses it: change what it names, or ask who runs the cluster"
	case has("is being terminated"):
		return "the namespace is being deleted"
	case has("failed quota:"):
		return "the namespace's quota wants to be told what the pod takes: write resources=Resources(cpu=..., memory=...), or pod_settings.resources"
	case isQuota(err) && isBeyondQuota(text):
		return "it asks for more than the namespace's quota allows at all: ask for less, or have the quota raised"
	case limitRangeWords.MatchString(text):
		return "the namespace's LimitRange does not allow what it asks for: change the step's resources, or have the LimitRange changed"
	case apierrors.IsForbidden(err) && has(" is forbidden: ") && !isQuota(err) && !permissionWords.MatchString(text):
		return "the cluster's admission control refuses it"
	}
	return ""
}

// isWebhookAway tells a webhook that must be asked, and can't be, from one that refuses.
func isWebhookAway(err error) bool { return strings.Contains(err.Error(), "failed calling webhook") }

// isQuota tells a namespace that has no room now from a refusal.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// isBeyondQuota reports whether what is asked for would not fit into an unused quota either. A quota of zero is how a
// namespace is put on hold, which passes.
func isBeyondQuota(text string) bool {
	_, text, _ = strings.Cut(text, "requested: ")
	requested, text, _ := strings.Cut(text, ", used: ")
	_, limited, _ := strings.Cut(text, ", limited: ")
	limits := map[string]resource.Quantity{}
	for _, amount := range quotaAmounts.FindAllStringSubmatch(limited, -1) {
		if q, err := resource.ParseQuantity(amount[2]); err == nil {
			limits[amount[1]] = q
		}
	}
	for _, amount := range quotaAmounts.FindAllStringSubmatch(requested, -1) {
		limit, ok := limits[amount[1]]
		q, err := resource.ParseQuantity(amount[2])
		if ok && err == nil && !limit.IsZero() && q.Cmp(limit) > 0 {
			return true
		}
	}
	return false
}
