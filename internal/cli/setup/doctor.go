package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/internal/cli/check"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/proa-ml/proa/internal/kubeconfig"
	"github.com/spf13/cobra"
)

// The oldest Python that proa's package runs on.
const oldestMajor, oldestMinor = 3, 9

// finding is what came of one look, as programs read it.
type finding struct {
	What string `json:"what"`
	// State is "ok", "warning" or "problem".
	State  string `json:"state"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
	code   fault.Code
}

// NewDoctor makes `proa doctor`.
func NewDoctor(k *kit.Kit) *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look at this machine and the active stack, and say what to mend and how",
		Long: "Look for Python, its package proa, uv, the kubeconfig and proa's folders, and open every component of the active stack.\n" +
			"A line for each says what is wrong and how to mend it. The exit code is 0 if all is well or only to be warned of, 4 if\n" +
			"something on this machine has to be mended, and 5 if a component of the active stack isn't reached.",
		Example: "  proa doctor\n  proa doctor -o json",
		Args:    kit.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return report(k, format, examine(cmd.Context(), k))
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func report(k *kit.Kit, format output.Format, all []finding) error {
	table := output.Table{Header: []string{"WHAT", "STATE", "DETAIL", "FIX"}}
	worst := fault.OK
	problems := 0
	for _, f := range all {
		if f.State == "problem" {
			problems++
			worst = max(worst, f.code)
		}
		table.Rows = append(table.Rows, []string{f.What, f.State, f.Detail, f.Fix})
	}
	if err := output.Print(k.Streams, format, all, table); err != nil {
		return err
	}
	if problems == 0 {
		return nil
	}
	return fault.New(worst, "", "%d of %d are to be mended", problems, len(all))
}

func examine(ctx context.Context, k *kit.Kit) []finding {
	all := python(ctx, k)
	all = append(all, launcher(k), contexts(k))
	for _, folder := range []struct{ what, path string }{
		{"config folder", kit.ConfigDir(k.Env)}, {"data folder", kit.DataDir(k.Env)}, {"cache folder", cache(k)},
	} {
		all = append(all, writable(folder.what, folder.path))
	}
	return append(all, components(ctx, k)...)
}

func ok(what, format string, args ...any) finding {
	return finding{What: what, State: "ok", Detail: fmt.Sprintf(format, args...)}
}

func warning(what, fix, format string, args ...any) finding {
	return finding{What: what, State: "warning", Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func problem(what string, err error) finding {
	code := fault.CodeOf(err)
	if code != fault.Infrastructure {
		code = fault.Configuration
	}
	return finding{What: what, State: "problem", Detail: err.Error(), Fix: fault.HintOf(err), code: code}
}

// python looks for the interpreter, for proa's package in it, and for uv.
func python(ctx context.Context, k *kit.Kit) []finding {
	interpreter, err := pyenv.Find(k)
	if err != nil {
		return []finding{problem("python", err)}
	}
	e, err := pyenv.Ask(ctx, k, interpreter, "proa")
	if err != nil {
		return []finding{problem("python", err)}
	}
	all := []finding{ok("python", "%s at %s", e.Version, e.Interpreter)}
	if tooOld(e.Version) {
		all[0] = problem("python", fault.New(fault.Configuration, "activate an environment with a newer one, or set PROA_PYTHON",
			"%s at %s is older than %d.%d", e.Version, e.Interpreter, oldestMajor, oldestMinor))
	}
	switch version, installed := e.Packages["proa"]; {
	case !installed:
		all = append(all, warning("package", "pip install proa, or set PYTHONPATH to a checkout's folder python", "the Python package proa is not installed there"))
	case version != k.Version:
		all = append(all, warning("package", "pip install proa=="+k.Version, "the Python package is version %s, this program %s", version, k.Version))
	default:
		all = append(all, ok("package", "%s", version))
	}
	if uv := pyenv.UV(e.Interpreter); uv != "" {
		return append(all, ok("uv", "%s", uv))
	}
	return append(all, warning("uv", "pip install uv", "not found: the requirements of images can't be resolved"))
}

func tooOld(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	first, _ := strconv.Atoi(major)
	second, _ := strconv.Atoi(minor)
	return first < oldestMajor || first == oldestMajor && second < oldestMinor
}

func launcher(k *kit.Kit) finding {
	path := filepath.Join(filepath.Dir(k.Executable), "proa-step")
	if _, err := os.Stat(path); err != nil {
		return problem("proa-step", fault.New(fault.Configuration, "install proa again, or run `make build` in a checkout", "it is not beside proa: %s is missing", path))
	}
	return ok("proa-step", "%s", path)
}

func contexts(k *kit.Kit) finding {
	const what = "kubeconfig"
	names, active, err := k.Contexts()
	var missing *kubeconfig.MissingError
	switch {
	case errors.As(err, &missing):
		return warning(what, kubeconfig.Obtain, "%v, so there is no cluster to run on", err)
	case err != nil:
		return problem(what, fault.New(fault.Configuration, "correct it (`kubectl config view` says what is wrong with it), or set KUBECONFIG", "%w", err))
	case len(names) == 0:
		return warning(what, "copy one to ~/.kube/config, or set KUBECONFIG", "it has no contexts: there is no cluster to run on")
	case active == "":
		return ok(what, "contexts: %d, none of them active", len(names))
	}
	return ok(what, "contexts: %d, active: %s", len(names), active)
}

func cache(k *kit.Kit) string {
	dir, _ := kit.CacheDir(k.Env)
	return dir
}

// writable proves that a folder can be written to, or made, by writing a file that is gone at once.
func writable(what, dir string) finding {
	if dir == "" {
		return problem(what, fault.New(fault.Configuration, "set HOME, or PROA_CONFIG_DIR, PROA_DATA_DIR and PROA_CACHE_DIR", "there is no place for it: HOME is not set"))
	}
	there := dir
	for {
		if _, err := os.Stat(there); err == nil || filepath.Dir(there) == there {
			break
		}
		there = filepath.Dir(there)
	}
	f, err := os.CreateTemp(there, ".proa-doctor-*")
	if err != nil {
		return problem(what, fault.New(fault.Configuration, "make it writable, or choose another folder with PROA_"+strings.ToUpper(strings.Fields(what)[0])+"_DIR", "%s can't be written to: %w", dir, err))
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return ok(what, "%s", dir)
}

// components opens those of the active stack.
func components(ctx context.Context, k *kit.Kit) []finding {
	config, active, err := k.Load()
	if err != nil {
		return []finding{problem("stack", err)}
	}
	resolved, err := config.Resolve(active.Name)
	if err == nil {
		_, err = k.Catalogue.Validate(resolved)
	}
	if err != nil {
		return []finding{problem("stack "+active.Name, err)}
	}
	all := []finding{ok("stack "+active.Name, "%s", active.Scope())}
	for _, c := range check.Stack(ctx, k, resolved) {
		what := fmt.Sprintf("%s %s", c.Kind.Words(), c.Name)
		if c.OK {
			all = append(all, ok(what, ""))
			continue
		}
		all = append(all, finding{What: what, State: "problem", Detail: c.Problem, Fix: c.Fix, code: c.Code()})
	}
	return all
}
