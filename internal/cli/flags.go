package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/proa-ml/proa/internal/cli/absent"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/strict"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says what to do about a flag that can't be parsed.
func flagError(cmd *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	var meaningless *absent.Error
	if errors.As(err, &wrong) && errors.As(err, &meaningless) {
		return fault.New(fault.Usage, "", "`--%s` has no meaning here: %w", wrong.GetFlag().Name, meaningless)
	}
	if near := strict.Nearest(longName(err), flagNames(cmd)); near != "" {
		return fault.New(fault.Usage, fmt.Sprintf("did you mean --%s?", near), "%w", err)
	}
	return fault.New(fault.Usage, fmt.Sprintf("see `%s --help`", cmd.CommandPath()), "%w", err)
}

// longName is what was typed for the name of a flag; empty if it was a single letter. A name after a single dash looks like
// several flags of one letter each, or like one with a value.
func longName(err error) string {
	var unknown *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	word := ""
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		word = unknown.GetSpecifiedShortnames()
	case errors.As(err, &unknown):
		word = unknown.GetSpecifiedName()
	case errors.As(err, &wrong) && wrong.GetFlag().Shorthand != "":
		word = wrong.GetFlag().Shorthand + wrong.GetValue()
	}
	if word, _, _ = strings.Cut(word, "="); len(word) < 2 {
		return ""
	}
	return strings.ReplaceAll(word, "_", "-")
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
