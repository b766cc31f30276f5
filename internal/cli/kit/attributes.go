package kit

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ParseAttributes separates a command's own flags from attributes, which are any other --key=value or --key value.
// The command has its flag parsing disabled. done is true if help was asked for and given.
func ParseAttributes(cmd *cobra.Command, args []string) (positional []string, attributes map[string]string, done bool, err error) {
	cmd.InheritedFlags() // merges the root's flags
	flags := cmd.Flags()
	rest, attributes, err := split(flags, args)
	if err != nil {
		return nil, nil, false, err
	}
	if err := flags.Parse(rest); err != nil {
		return nil, nil, false, fault.New(fault.Usage, "usage: "+cmd.UseLine(), "%w", err)
	}
	if help, err := flags.GetBool("help"); err == nil && help {
		return nil, nil, true, cmd.Help()
	}
	return flags.Args(), attributes, false, nil
}

func split(flags *pflag.FlagSet, args []string) (rest []string, attributes map[string]string, err error) {
	attributes = map[string]string{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(rest, args[i:]...), attributes, nil
		}
		key, value, inline := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !strings.HasPrefix(arg, "--") || flags.Lookup(key) != nil {
			rest = append(rest, arg)
			if takesNext(flags, arg) && i+1 < len(args) {
				i++
				rest = append(rest, args[i])
			}
			continue
		}
		if !inline {
			value = "true"
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
				value = args[i]
			}
		}
		if _, twice := attributes[key]; twice {
			return nil, nil, fault.New(fault.Usage, "", "--%s is given twice", key)
		}
		attributes[key] = value
	}
	return rest, attributes, nil
}

// takesNext reports whether a flag's value is the next argument.
func takesNext(flags *pflag.FlagSet, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	var flag *pflag.Flag
	switch {
	case strings.HasPrefix(arg, "--"):
		flag = flags.Lookup(strings.TrimPrefix(arg, "--"))
	case len(arg) == 2 && arg[0] == '-':
		flag = flags.ShorthandLookup(arg[1:])
	}
	return flag != nil && flag.NoOptDefVal == ""
}

// Expand replaces the value @PATH by the content of that file, and @- by the standard input, so that no secret has to
// stand on a command line. @@ stands for one @.
func (k *Kit) Expand(attributes map[string]string) error {
	input := ""
	for key, value := range attributes {
		switch {
		case strings.HasPrefix(value, "@@"):
			attributes[key] = value[1:]
		case strings.HasPrefix(value, "@"):
			if value == "@-" {
				if input != "" {
					return fault.New(fault.Usage, "read one of them from a file: @FILE", "--%s and --%s can't both be the standard input", min(key, input), max(key, input))
				}
				input = key
			}
			content, err := k.content(value[1:])
			if err != nil {
				return fault.New(fault.Usage, fmt.Sprintf("write --%s=@@... if the value begins with @", key), "--%s: %w", key, err)
			}
			attributes[key] = strings.TrimRight(string(content), "\r\n")
		}
	}
	return nil
}

func (k *Kit) content(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(k.In)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(k.Dir, path)
	}
	return os.ReadFile(path)
}
