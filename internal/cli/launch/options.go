package launch

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/run"
)

// runSettings are the settings of a run as a whole, as they stand in its plan.
type runSettings struct {
	Mode           run.Mode `json:"execution_mode,omitempty"`
	MaxParallelism int      `json:"max_parallelism,omitempty"`
	// Synchronous says that the client waits for the run; it does unless told otherwise.
	Synchronous *bool `json:"synchronous,omitempty"`
	// Grace and Deadline are in seconds.
	Grace    int `json:"pod_stop_grace_period,omitempty"`
	Deadline int `json:"active_deadline_seconds,omitempty"`
}

// engine returns the engine's options that are settings.
func (s runSettings) engine() run.Options {
	return run.Options{
		Mode: s.Mode, MaxParallelism: s.MaxParallelism,
		Grace: time.Duration(s.Grace) * time.Second, Deadline: time.Duration(s.Deadline) * time.Second,
	}
}

// settingsOf reads the settings of a plan, which were checked when it was made.
func settingsOf(p *plan.Plan) (runSettings, error) {
	var s runSettings
	data, err := json.Marshal(p.Settings)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the run's settings: %w", err)
	}
	return s, nil
}
