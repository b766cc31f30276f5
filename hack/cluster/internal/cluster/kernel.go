package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The kubelet sets these settings of the whole machine at its start.
func kernelSettings() []string {
	return []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"}
}

// readKernelSettings returns the settings as they are.
func readKernelSettings() map[string]string {
	values := map[string]string{}
	for _, name := range kernelSettings() {
		if value, err := os.ReadFile(filepath.Join("/proc/sys", name)); err == nil {
			values[name] = strings.TrimSpace(string(value))
		}
	}
	return values
}

// restoreKernelSettings sets back those that have changed.
func restoreKernelSettings(before map[string]string) error {
	now := readKernelSettings()
	for name, value := range before {
		if now[name] == value {
			continue
		}
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644); err != nil {
			return fmt.Errorf("setting %s back: %w", name, err)
		}
	}
	return nil
}
