package absent

import (
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/spf13/cobra"
)

// Error says why a flag has no meaning.
type Error struct{ why string }

func (e *Error) Error() string { return e.why }

// flag is a flag without a meaning: its text says why.
type flag string

// Set implements pflag.Value.
func (f flag) Set(string) error { return &Error{string(f)} }

// String implements pflag.Value.
func (f flag) String() string { return "" }

// Type implements pflag.Value.
func (f flag) Type() string { return "string" }

// Flag gives a command a hidden flag that answers why it has no meaning here. Its shorthand may have two letters, or be
// empty.
func Flag(cmd *cobra.Command, name, short, why string) {
	one := short
	if len(short) > 1 {
		one = ""
	}
	cmd.Flags().VarP(flag(why), name, one, "")
	if len(short) > 1 {
		kit.Shorthand(cmd, name, short)
	}
	_ = cmd.Flags().MarkHidden(name)
}

// Switch is [Flag] for one without a value.
func Switch(cmd *cobra.Command, name, short, why string) {
	Flag(cmd, name, short, why)
	cmd.Flags().Lookup(name).NoOptDefVal = "true"
}
