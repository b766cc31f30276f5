package setup

import (
	"fmt"

	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// places are where things are and what is in force, as programs read it.
type places struct {
	Version    string `json:"version"`
	Executable string `json:"executable"`
	Config     string `json:"config"`
	Stacks     string `json:"stacks"`
	Data       string `json:"data"`
	Cache      string `json:"cache"`
	Kubeconfig string `json:"kubeconfig"`
	Repository string `json:"repository,omitempty"`
	Profile    chosen `json:"profile"`
	Stack      chosen `json:"stack"`
}

// chosen is what is in force, and why.
type chosen struct {
	Name string `json:"name"`
	// From is "repository" or "global".
	From string `json:"from"`
	// Problem says why it can't be used.
	Problem string `json:"problem,omitempty"`
}

// NewConfig makes `proa config`.
func NewConfig(k *kit.Kit) *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "config", Short: "Show where proa's files are, and which profile and stack are active and why",
		Long: "Show where proa's files are, and which profile and stack are active and why.\n\n" +
			"A folder is the first of: PROA_CONFIG_DIR, PROA_DATA_DIR or PROA_CACHE_DIR; proa below XDG_CONFIG_HOME, XDG_DATA_HOME or\n" +
			"XDG_CACHE_HOME; proa below ~/.config, ~/.local/share or ~/.cache. A repository (`proa init`) at or above the working\n" +
			"folder may have an active profile and an active stack of its own.",
		Example: "  proa config\n  proa config -o json",
		Args:    kit.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			p := find(k)
			table := output.Table{Header: []string{"WHAT", "VALUE", "FROM"}, Rows: [][]string{
				{"version", p.Version, p.Executable},
				{"profile", p.Profile.Name, p.Profile.why()},
				{"stack", p.Stack.Name, p.Stack.why()},
				{"repository", p.Repository, ""},
				{"config", p.Config, source(k, "PROA_CONFIG_DIR", "XDG_CONFIG_HOME")},
				{"stacks", p.Stacks, ""},
				{"data", p.Data, source(k, "PROA_DATA_DIR", "XDG_DATA_HOME")},
				{"cache", p.Cache, source(k, "PROA_CACHE_DIR", "XDG_CACHE_HOME")},
				{"kubeconfig", p.Kubeconfig, source(k, "KUBECONFIG")},
			}}
			return output.Print(k.Streams, format, p, table)
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (c chosen) why() string {
	if c.Problem != "" {
		return c.From + ": " + c.Problem
	}
	return c.From
}

// find gathers where things are. What can't be found out is said in its place, so that the rest is seen.
func find(k *kit.Kit) places {
	p := places{
		Version: k.Version, Executable: k.Executable,
		Config: k.Files.Dir, Stacks: k.Files.Path(), Data: kit.ProfileData(kit.DataDir(k.Env), k.Profile.Name),
		Kubeconfig: k.Env("KUBECONFIG"),
		Profile:    chosen{Name: k.Profile.Name, From: "global"},
		Stack:      chosen{From: "global"},
	}
	p.Cache, _ = kit.CacheDir(k.Env)
	if p.Kubeconfig == "" {
		p.Kubeconfig = k.Env("HOME") + "/.kube/config"
	}
	if repository := stack.FindRepository(k.Dir); repository != nil {
		p.Repository = repository.Root
	}
	if k.Profile.Repository != nil {
		p.Profile.From = "repository"
	}
	if k.Profile.Err != nil {
		p.Profile.Problem = k.Profile.Err.Error()
	}
	config, active, err := k.Load()
	if err == nil {
		_, err = config.Resolve(active.Name)
	}
	p.Stack.Name = active.Name
	if active.Own {
		p.Stack.From = "repository"
	}
	if err != nil {
		p.Stack.Problem = err.Error()
	}
	return p
}

// source names the variable that a place comes from.
func source(k *kit.Kit, names ...string) string {
	for _, name := range names {
		if name != "" && k.Env(name) != "" {
			return fmt.Sprintf("$%s", name)
		}
	}
	return ""
}
