package main

import (
	"slices"
	"testing"
)

// TestEveryAnswerHasFormats walks the tree: whatever lists, describes or shows something does so for programs, too.
func TestEveryAnswerHasFormats(t *testing.T) {
	for _, cmd := range commands(t) {
		shows := slices.Contains([]string{"list", "describe", "show", "check"}, cmd.Name())
		if shows && cmd.IsAvailableCommand() && cmd.Flags().Lookup("output") == nil {
			t.Errorf("`%s` has no flag --output", cmd.CommandPath())
		}
	}
}
