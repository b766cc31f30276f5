// Package process starts servers that outlive this program, and knows them again later without mistaking another process for one.
//
// A process number is reused; a process number with the time the process started, in one boot of the machine, is not.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// An Identity names one process for ever.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
	Boot  string `json:"boot"`  // the kernel's boot id
}

// Boot returns the id of this boot of the machine.
func Boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// Identify returns the identity of the process that has the number now.
func Identify(pid int) (Identity, error) {
	boot, err := Boot()
	if err != nil {
		return Identity{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, fmt.Errorf("reading the state of process %d: %w", pid, err)
	}
	state, start, err := parseStat(stat)
	if err != nil {
		return Identity{}, fmt.Errorf("reading the state of process %d: %w", pid, err)
	}
	if state == 'Z' || state == 'X' {
		return Identity{}, fmt.Errorf("process %d has ended: %w", pid, os.ErrProcessDone)
	}
	return Identity{PID: pid, Start: start, Boot: boot}, nil
}

// Alive reports whether the process still runs.
func (id Identity) Alive() bool {
	if id.PID <= 1 {
		return false
	}
	now, err := Identify(id.PID)
	return err == nil && now == id
}

// Signal sends a signal to the process, and never to another that got its number.
func (id Identity) Signal(signal syscall.Signal) error {
	// The handle is taken before the identity is checked: from then on the number cannot change hands unseen.
	handle, err := os.FindProcess(id.PID)
	if err != nil {
		return fmt.Errorf("finding process %d: %w", id.PID, err)
	}
	defer func() { _ = handle.Release() }()
	if !id.Alive() {
		return nil
	}
	if err := handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to process %d: %w", signal, id.PID, err)
	}
	return nil
}

// parseStat reads the state and the start time out of /proc/PID/stat. The name, in parentheses, may itself hold any character.
func parseStat(stat []byte) (state byte, start uint64, err error) {
	const startField = 22 - 3 // counted from the state, which is field 3
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, errors.New("no process name in the stat line")
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) <= startField {
		return 0, 0, fmt.Errorf("only %d fields in the stat line", len(fields))
	}
	start, err = strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the start time: %w", err)
	}
	return fields[0][0], start, nil
}
