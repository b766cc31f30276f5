package command

import (
	"os"
	"os/exec"
	"strings"
)

// page shows a text in the user's pager: PROA_PAGER, PAGER or less. It reports false if there is none, or if none is wanted.
func page(text string) bool {
	program, wanted := pager(os.LookupEnv)
	if !wanted {
		return false
	}
	cmd := exec.Command("sh", "-c", program) // it ends when its user quits, not at Ctrl-C
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		cmd.Env = append(cmd.Env, "LESS=FRX") // end at once if it fits, let colours through, leave the text on the screen
	}
	return cmd.Run() == nil
}

func pager(env func(string) (string, bool)) (program string, wanted bool) {
	if term, _ := env("TERM"); term == "" || term == "dumb" {
		return "", false
	}
	for _, name := range []string{"PROA_PAGER", "PAGER"} {
		if program, set := env(name); set {
			return program, program != "" && program != "cat"
		}
	}
	_, err := exec.LookPath("less")
	return "less", err == nil
}
