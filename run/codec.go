package run

import (
	"encoding/json"
	"fmt"

	"github.com/proa-ml/proa/metadata/driver"
)

// encode makes a row of the metadata store of a recorded event.
func encode(r Recorded) (driver.Event, error) {
	data, err := json.Marshal(r.Event)
	if err != nil {
		return driver.Event{}, fmt.Errorf("encoding event %d (%s): %w", r.Seq, r.Event.Kind(), err)
	}
	return driver.Event{Seq: r.Seq, Time: r.Time, Kind: r.Event.Kind(), Data: data}, nil
}

// Decode makes a recorded event of a row of the metadata store. A kind that isn't known, as a newer version may have
// written it, is an error: a history with holes can't be folded.
func Decode(e driver.Event) (Recorded, error) {
	decode, ok := decoders[e.Kind]
	if !ok {
		return Recorded{}, fmt.Errorf("event %d is of the unknown kind %q: was it written by a newer proa?", e.Seq, e.Kind)
	}
	event, err := decode(e.Data)
	if err != nil {
		return Recorded{}, fmt.Errorf("decoding event %d (%s): %w", e.Seq, e.Kind, err)
	}
	return Recorded{Seq: e.Seq, Time: e.Time, Event: event}, nil
}

var decoders = map[string]func(json.RawMessage) (Event, error){
	RunStarted{}.Kind():       decodeAs[RunStarted],
	RunResumed{}.Kind():       decodeAs[RunResumed],
	StepCached{}.Kind():       decodeAs[StepCached],
	CacheMissed{}.Kind():      decodeAs[CacheMissed],
	AttemptPlanned{}.Kind():   decodeAs[AttemptPlanned],
	AttemptStarted{}.Kind():   decodeAs[AttemptStarted],
	AttemptPending{}.Kind():   decodeAs[AttemptPending],
	AttemptRunning{}.Kind():   decodeAs[AttemptRunning],
	AttemptStopping{}.Kind():  decodeAs[AttemptStopping],
	AttemptGone{}.Kind():      decodeAs[AttemptGone],
	AttemptEnded{}.Kind():     decodeAs[AttemptEnded],
	AttemptRemoved{}.Kind():   decodeAs[AttemptRemoved],
	StrayFound{}.Kind():       decodeAs[StrayFound],
	StrayRemoved{}.Kind():     decodeAs[StrayRemoved],
	StepSkipped{}.Kind():      decodeAs[StepSkipped],
	StepCancelled{}.Kind():    decodeAs[StepCancelled],
	CancelRequested{}.Kind():  decodeAs[CancelRequested],
	DeadlineExceeded{}.Kind(): decodeAs[DeadlineExceeded],
	RunEnded{}.Kind():         decodeAs[RunEnded],
}

func decodeAs[E Event](data json.RawMessage) (Event, error) {
	var e E
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	return e, nil
}
