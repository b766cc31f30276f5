package kit

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shorthand is the annotation of a flag that has a shorthand of several letters.
const shorthand = "proa_shorthand"

// Shorthand lets a flag also be spelt with a single dash and several letters, as users of other systems do. To pflag that
// would be several flags of one letter, or one with a value.
func Shorthand(cmd *cobra.Command, flag, letters string) {
	_ = cmd.Flags().SetAnnotation(flag, shorthand, []string{letters})
}

// SpellOut replaces such shorthands among the arguments of a program by the flags' names.
func SpellOut(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	names := Shorthands(cmd)
	if len(names) == 0 {
		return args
	}
	var spelt []string
	for i, arg := range args {
		if arg == "--" {
			return append(spelt, args[i:]...)
		}
		word, value, valued := strings.Cut(arg, "=")
		if name, ok := names[word]; ok {
			arg = "--" + name
			if valued {
				arg += "=" + value
			}
		}
		spelt = append(spelt, arg)
	}
	return spelt
}

// Shorthands are the shorthands of several letters that a command has, with their dash, and the names of their flags.
func Shorthands(cmd *cobra.Command) map[string]string {
	names := map[string]string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		for _, letters := range f.Annotations[shorthand] {
			names["-"+letters] = f.Name
		}
	})
	return names
}
