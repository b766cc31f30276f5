package launcher_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/proa-ml/proa/internal/testbed"
	"github.com/proa-ml/proa/step"
)

// TestOutOfMemory has the kernel kill a step for its memory, in a control group made for that; it needs root and a
// memory controller that may be used.
func TestOutOfMemory(t *testing.T) {
	group, limit := memoryGroup(t)
	write(t, filepath.Join(group, limit), strconv.Itoa(96<<20))
	b := newBench(t)
	b.wrap = []string{"sh", "-c", "echo $$ > " + group + "/cgroup.procs && exec " + b.self}
	inv := b.invocation()
	inv.Command = []string{"python3", "-c", "x = []\nwhile True: x.append(bytearray(1 << 20))"}
	code, o, _ := b.finish(inv)
	if code != 137 || o.Failure == nil || o.Failure.Kind != step.FailureOOM {
		t.Errorf("exit code %d, outcome %+v, failure %+v", code, o, o.Failure)
	}
}

func memoryGroup(t *testing.T) (group, limit string) {
	t.Helper()
	parent, limit := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		parent, limit = "/sys/fs/cgroup", "memory.max"
	}
	group, err := os.MkdirTemp(parent, "proa-test-")
	if err != nil {
		testbed.Missing(t, "no control group can be made: %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	if _, err := os.Stat(filepath.Join(group, limit)); err != nil {
		testbed.Missing(t, "memory can't be limited in %s: %v", group, err)
	}
	return group, limit
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
