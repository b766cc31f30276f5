package examples

import (
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/spf13/cobra"
)

// ready returns an error if the Python that would run an example lacks something, with the command that installs it.
func (n noun) ready(cmd *cobra.Command, e example) error {
	interpreter, err := pyenv.Find(n.Kit)
	if err != nil {
		return err
	}
	wanted := []string{"proa"}
	for _, requirement := range e.Requirements {
		name, _, _ := strings.Cut(requirement, "=")
		wanted = append(wanted, strings.TrimRight(name, "<>~!"))
	}
	environment, err := pyenv.Ask(cmd.Context(), n.Kit, interpreter, wanted...)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range wanted {
		if _, ok := environment.Packages[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	install := strings.Join(append(pyenv.Pip(environment, "install"), missing...), " ")
	return fault.New(fault.Configuration, install, "the example %s needs %s, which %s doesn't have", e.Name, strings.Join(missing, ", "), environment.Interpreter)
}
