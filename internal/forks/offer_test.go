//go:build linux

package forks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/proa-ml/proa/internal/forks"
	"github.com/proa-ml/proa/internal/proc"
)

// holderEnv makes the test program the one that a script hands its offer to.
const holderEnv = "PROA_FORKS_TEST_HOLDER"

func TestMain(m *testing.M) {
	if file := os.Getenv(holderEnv); file != "" {
		if err := os.WriteFile(file, []byte(hold()), 0o600); err != nil {
			panic(err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// hold uses what a script has offered, for the orders in a file, and returns what they print.
func hold() string {
	var orders []forks.Order
	data, err := os.ReadFile(os.Getenv(holderEnv))
	if err == nil {
		err = json.Unmarshal(data, &orders)
	}
	number, err2 := strconv.Atoi(os.Getenv(forks.OfferEnv))
	if err != nil || err2 != nil {
		return "no orders, or nothing is offered"
	}
	server := forks.NewServer(filepath.Dir(os.Getenv(holderEnv)), 2)
	defer server.Close()
	server.Offer(forks.Offer{
		Socket: os.NewFile(uintptr(number), "offer"), Path: orders[0].Path, Dir: orders[0].Dir, Environ: os.Environ(),
	})
	var all strings.Builder
	for _, o := range orders {
		out := new(text)
		process, err := server.Fork(o, out)
		if err != nil {
			return err.Error()
		}
		if exit := process.Wait(); process.Refused() != nil || exit.Code != 0 {
			return out.String()
		}
		_, _ = all.WriteString(out.String())
	}
	return all.String()
}

// A script forks itself for its steps, and what doesn't fit that process gets one of its own.
func TestOffer(t *testing.T) {
	p := newProject(t, offering)
	// The python in PATH may be a script that changes the environment.
	found, err := exec.Command(p.python, "-c", "import sys; print(sys.executable, end='')").Output()
	if err != nil {
		t.Fatal(err)
	}
	p.python = string(found)
	orders := []forks.Order{p.order("hello"), p.order("hello"), p.order("hello")}
	for _, o := range orders {
		o.Env["LC_ALL"] = "C.UTF-8" // else Python itself sets one
	}
	orders[1].Env["MORE"] = "x"
	data, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "orders.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{holderEnv + "=" + file, "PROA_BIN=" + os.Args[0]}
	for name, value := range orders[0].Env {
		env = append(env, name+"="+value)
	}
	script, err := proc.Start(proc.Command{Path: p.python, Args: []string{"python", "run.py"}, Dir: p.dir, Env: env, Output: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	script.Wait()
	report, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// Each line is the process that has started, or forked, the one that imported the module.
	lines := strings.Split(strings.TrimSpace(string(report)), "\n")
	if len(lines) != 3 || lines[0] != strconv.Itoa(script.PID()) || lines[2] != lines[0] || lines[1] == lines[0] {
		t.Errorf("the script is %d, and the steps print %q", script.PID(), report)
	}
}

// offering is a script whose step prints which process has started the one that the step is forked from.
const offering = `
import os
from proa import pipeline, step

def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])

@step
def hello() -> None:
    keeper = os.getppid()
    print(parent(parent(keeper)))

@pipeline
def greet():
    hello()

if __name__ == "__main__":
    greet()
`
