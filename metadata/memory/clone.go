package memory

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/internal/turn"
	"github.com/proa-ml/proa/step"
)

func cloneRun(r driver.Run) driver.Run {
	r.Spec, r.Plan = cloneRaw(r.Spec), cloneRaw(r.Plan)
	return r
}

func cloneEvent(e driver.Event) driver.Event {
	e.Time, e.Data = turn.Time(e.Time), cloneRaw(e.Data)
	return e
}

func cloneStep(st driver.Step) driver.Step {
	st.Outputs = cloneOutputs(st.Outputs)
	st.Started, st.Ended = turn.Time(st.Started), turn.Time(st.Ended)
	if st.Failure != nil {
		failure := *st.Failure
		st.Failure = &failure
	}
	return st
}

func cloneEntry(e driver.CacheEntry) driver.CacheEntry {
	e.Outputs = cloneOutputs(e.Outputs)
	return e
}

// cloneOutputs copies outputs; no outputs are nil, as they are in a database.
func cloneOutputs(outputs map[string]step.Artifact) map[string]step.Artifact {
	if len(outputs) == 0 {
		return nil
	}
	return maps.Clone(outputs)
}

// cloneRaw copies a document; an empty one is nil, as it is in a database.
func cloneRaw(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return bytes.Clone(raw)
}
