package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/proa-ml/proa/stack"
)

func TestCodesAndHints(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code Code
		hint string
	}{
		"none":            {nil, OK, ""},
		"a mistake":       {fmt.Errorf("stack: %w", stack.Mistake("do that", "no")), Configuration, "do that"},
		"own":             {fmt.Errorf("x: %w", New(Usage, "type this", "no")), Usage, "type this"},
		"an interruption": {fmt.Errorf("x: %w", context.Canceled), Cancelled, ""},
		"anything else":   {errors.New("x"), Infrastructure, ""},
		"given a code":    {With(Configuration, "hint", errors.New("x")), Configuration, "hint"},
		"keeps its code":  {With(Configuration, "hint", New(Usage, "own", "x")), Usage, "own"},
	} {
		if got := CodeOf(c.err); got != c.code {
			t.Errorf("%s: code %d, want %d", name, got, c.code)
		}
		if got := HintOf(c.err); got != c.hint {
			t.Errorf("%s: hint %q, want %q", name, got, c.hint)
		}
	}
}
