package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/proa-ml/proa/orchestrator/driver"
)

func TestViolations(t *testing.T) {
	settings := func(text string) map[string]json.RawMessage {
		var s map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, test := range map[string]struct {
		attempt              driver.Attempt
		restricted, baseline string
	}{
		"usual":     {driver.Attempt{}, "", ""},
		"user":      {driver.Attempt{User: "1000:1000"}, "", ""},
		"root":      {driver.Attempt{User: "0"}, "run as root", ""},
		"privilege": {driver.Attempt{Settings: settings(`{"privileged":true}`)}, "be privileged", "be privileged"},
		"ipc":       {driver.Attempt{Settings: settings(`{"pod_settings":{"host_ipc":true}}`)}, "share its node's namespaces", "share its node's namespaces"},
		"path": {driver.Attempt{Settings: settings(`{"pod_settings":{"volumes":[{"name":"data","hostPath":{"path":"/data"}}]}}`)},
			"mount its node's path /data", "mount its node's path /data"},
		"as root": {driver.Attempt{Settings: settings(`{"pod_settings":{"security_context":{"runAsUser":0}}}`)}, "run as root", ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod, err := BuildPod(Config{}, test.attempt)
			if err != nil {
				t.Fatal(err)
			}
			for level, want := range map[string]string{"restricted": test.restricted, "baseline": test.baseline, "privileged": ""} {
				if got := strings.Join(violations(&pod.Spec, level), " and "); got != want {
					t.Errorf("%s: got %q, want %q", level, got, want)
				}
			}
		})
	}
}
