package main

import (
	"slices"
	"testing"

	"github.com/proa-ml/proa/command"
)

// TestEveryAnswerHasFormats walks the tree: whatever lists, describes or shows something does so for programs, too.
func TestEveryAnswerHasFormats(t *testing.T) {
	paths, err := command.WithoutFlag(nil, "output", "list", "describe", "show", "check")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(slices.Values(paths)) {
		t.Errorf("`%s` has no flag --output", path)
	}
}
