package inspect

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/proa-ml/proa/orchestrator"
	"github.com/proa-ml/proa/step"
)

// Times knows when which part of a log was written (see step.LogTimesKey).
type Times []moment

type moment struct {
	offset int64
	at     time.Time
}

// ReadTimes returns the times of an attempt's log; none if they aren't stored.
func ReadTimes(ctx context.Context, objects Objects, a Attempt) (Times, error) {
	var text bytes.Buffer
	if _, err := copyObject(ctx, objects, step.LogTimesKey(a.Run, a.Name), &text); err != nil {
		return nil, err
	}
	var all Times
	for line := range bytes.Lines(text.Bytes()) {
		var offset, ms int64
		if _, err := fmt.Sscan(string(line), &offset, &ms); err == nil {
			all = append(all, moment{offset, time.UnixMilli(ms)})
		}
	}
	return all, nil
}

// At returns when the byte at an offset was written; zero if it isn't known.
func (t Times) At(offset int64) time.Time {
	i, found := slices.BinarySearchFunc(t, offset, func(m moment, offset int64) int {
		switch {
		case m.offset < offset:
			return -1
		case m.offset > offset:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return time.Time{}
	}
	return t[i].at
}

// AttemptOf names an attempt of a step of a run by its number.
func AttemptOf(r Run, stepName string, number int) Attempt {
	return Attempt{Run: r.ID, Name: orchestrator.AttemptName(r.Pipeline, r.ID, stepName, number)}
}
