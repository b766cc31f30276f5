package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/proa-ml/proa/orchestrator"
)

// The labels and annotations of everything that belongs to a run. A label's value is cut and hashed where the name
// doesn't fit the rules of labels; the annotation of the same key holds the exact name.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelComponent = "proa.dev/component"
	LabelRun       = "proa.dev/run"
	LabelPipeline  = "proa.dev/pipeline"
	LabelStep      = "proa.dev/step"
	LabelAttempt   = "proa.dev/attempt"
	// LabelStore says of a schedule in which store its runs are found.
	LabelStore = "proa.dev/store"
	// LabelQueue is Kueue's: the queue that a pod waits in.
	LabelQueue = "kueue.x-k8s.io/queue-name"

	annotationRunName  = "proa.dev/run-name"
	annotationPipeline = "proa.dev/pipeline"
	annotationStep     = "proa.dev/step"

	managedBy            = "proa"
	componentCoordinator = "coordinator"
	componentStep        = "step"
)

// serviceAccount is the name of the service account, its role and the binding of the two.
const serviceAccount = "proa"

// ObjectName is the name of a run's Secret and, unless settings give it another prefix, of its Job.
func ObjectName(run string) string { return "proa-" + run }

// jobName is the name of a run's Job. Who looks for it does so by its label.
func jobName(prefix, run string) string {
	if prefix == "" {
		return ObjectName(run)
	}
	return orchestrator.Slug(prefix, maxPrefix) + "-" + run
}

// maxPrefix leaves room for a run's id and for what Kubernetes appends to the names of a Job's pods.
const maxPrefix = 36

// runSelector selects what belongs to a run; component restricts it unless empty.
func runSelector(run, component string) string {
	selector := LabelRun + "=" + labelValue(run)
	if component != "" {
		selector += "," + LabelComponent + "=" + component
	}
	return selector
}

// maxLabel is the longest value a label may have.
const maxLabel = 63

// labelValue makes any text a label's value. Text that is one already is kept; any other gets a hash, so that
// different texts have different values.
func labelValue(text string) string {
	slug := strings.Trim(strings.Map(labelRune, text), "-_.")
	if slug == text && len(text) <= maxLabel {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:8])
	if room := maxLabel - len(hash) - 1; len(slug) > room {
		slug = slug[:room]
	}
	return strings.TrimLeft(strings.TrimRight(slug, "-_.")+"-"+hash, "-")
}

func labelRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		return r
	}
	return '-'
}
