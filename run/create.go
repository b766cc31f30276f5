package run

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/proa-ml/proa/metadata/driver"
)

// CreateOptions are Create's.
type CreateOptions struct {
	// Now is the clock; nil means the machine's.
	Now func() time.Time
	// Rand makes the run's id; nil means the system's secure source.
	Rand io.Reader
}

// createTries is how often Create makes up another id and name when those are taken.
const createTries = 5

// Create adds a run to the metadata store, pending, for Execute to drive. r says what the caller knows: pipeline, stack,
// where it runs, spec and plan. Create fills in id, name, status and time, and returns the whole.
func Create(ctx context.Context, w driver.Writer, r driver.Run, opts *CreateOptions) (driver.Run, error) {
	var o CreateOptions
	if opts != nil {
		o = *opts
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	var err error
	for try := range createTries {
		now := o.Now().Add(time.Duration(try) * time.Microsecond)
		if r, err = named(r, now, o.Rand); err != nil {
			return driver.Run{}, err
		}
		if err = w.CreateRun(ctx, r); !errors.Is(err, driver.ErrConflict) {
			break
		}
	}
	if err != nil {
		return driver.Run{}, fmt.Errorf("adding run %s to the metadata store: %w", r.Name, err)
	}
	return r, nil
}

// named returns the run with an id, and the name and times that now gives it.
func named(r driver.Run, now time.Time, source io.Reader) (driver.Run, error) {
	id, err := randomHex(source)
	if err != nil {
		return r, err
	}
	now = now.UTC().Truncate(time.Microsecond)
	r.ID, r.Status, r.Created = id, string(Pending), now
	r.Name = fmt.Sprintf("%s-%s-%06d", readable(r.Pipeline), now.Format("2006-01-02-15-04-05"), now.Nanosecond()/1000)
	return r, nil
}

// randomHex returns 64 bits of randomness as text.
func randomHex(source io.Reader) (string, error) {
	var id [8]byte
	if _, err := io.ReadFull(source, id[:]); err != nil {
		return "", fmt.Errorf("making a random id: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// maxReadable is the most characters of a pipeline's name in a run's name.
const maxReadable = 80

// readable makes of a pipeline's name something that can be typed after a command without quotes: letters and digits of any
// script, and what often joins them. Anything else becomes a dash.
func readable(pipeline string) string {
	name := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || strings.ContainsRune("-_.", c) {
			return c
		}
		return '-'
	}, pipeline)
	if runes := []rune(name); len(runes) > maxReadable {
		name = string(runes[:maxReadable])
	}
	if name = strings.Trim(name, "-."); name == "" {
		return "run"
	}
	return name
}
