package main

import (
	"context"
	"os"
	"testing"

	"github.com/proa-ml/proa/command"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"proa": func() { os.Exit(command.Main(context.Background(), nil)) },
	})
}

// TestScripts runs the command line as a user does, without Python and without a cluster.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("KUBECONFIG", env.WorkDir+"/kubeconfig")
			for _, name := range []string{"PROA_CONFIG_DIR", "PROA_DATA_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "VIRTUAL_ENV"} {
				env.Setenv(name, "")
			}
			return nil
		},
	})
}
