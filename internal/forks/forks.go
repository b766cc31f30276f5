// Package forks starts the processes of steps by forking them from a process that has imported the step's module
// already, so that the import is paid once. See docs/decisions/0007-fork-server.md for the tree of processes.
//
// A [Server] belongs to whoever outlives several steps: the launcher of a pod that runs one after the other, or the
// local orchestrator, whose launchers reach it through a [Client]. Both are a [Forker]. What can't be forked is refused,
// and has to be started as any other process.
package forks

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/proa-ml/proa/internal/proc"
)

// Forker forks processes.
type Forker interface {
	// Fork returns a process as proc.Entrust does: whether it was refused is known at its end. An error means the same as
	// a refusal.
	Fork(o Order, output io.Writer) (*proc.Process, error)
}

// Order says what to fork.
type Order struct {
	// Path, Args and Dir start the server, with Env, which is what all steps of the server have in common.
	Path string            `json:"path"`
	Args []string          `json:"args"`
	Dir  string            `json:"dir"`
	Env  map[string]string `json:"env"`
	// Source is the step's "module:qualname". A server has imported one module.
	Source string `json:"source"`
	// Own is what this step has in its environment besides.
	Own map[string]string `json:"own"`
}

// key is equal for orders that one server can fork.
func (o Order) key() (string, error) {
	o.Source, _, _ = strings.Cut(o.Source, ":")
	o.Own = nil
	data, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("encoding what to fork: %w", err)
	}
	sum := sha256.Sum256(data)
	return string(sum[:]), nil
}

// Forks reports whether a command is a runner that can serve forks.
func Forks(command []string) bool {
	return len(command) > 2 && slices.Equal(command[len(command)-2:], []string{"-m", "proa.runner"})
}

// numberEnv tells a runner that it is to serve forks, on the inherited socket of that number.
const numberEnv = "PROA_FORKS"

// parcel is what goes with one message: what the keeper needs, and a file with the order.
type parcel struct {
	proc.Errand
	order *os.File
}

// files are what goes with a message, in its order.
func (p parcel) files() []*os.File { return []*os.File{p.Connection, p.Output, p.order} }

func (p parcel) close() {
	p.Errand.Close()
	_ = p.order.Close()
}

// pack prepares a process and what its keeper needs.
func pack(o Order, output io.Writer) (*proc.Process, parcel, error) {
	order, err := orderFile(o)
	if err != nil {
		return nil, parcel{}, err
	}
	p, errand, err := proc.Entrust(output)
	if err != nil {
		_ = order.Close()
		return nil, parcel{}, err
	}
	return p, parcel{errand, order}, nil
}

// orderFile returns an order as a file without a name: what the environment holds may be secret.
func orderFile(o Order) (*os.File, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encoding what to fork: %w", err)
	}
	file, err := anonymous("order")
	if err != nil {
		return nil, fmt.Errorf("making a file for what to fork: %w", err)
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("writing what to fork: %w", err)
	}
	return file, nil
}

// readOrder reads a whole order file from its beginning.
func readOrder(file *os.File) (Order, error) {
	var o Order
	info, err := file.Stat()
	if err != nil {
		return o, err
	}
	data := make([]byte, info.Size())
	if _, err := file.ReadAt(data, 0); err != nil {
		return o, err
	}
	return o, json.Unmarshal(data, &o)
}
