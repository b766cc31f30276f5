// Package cgroup holds the cluster's processes, its servers as well as every container, in one tree of control groups,
// so that all of them can be found and ended, and nothing else can. It knows version 1 and version 2 of control groups.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/mount"
)

// A Tree is the group of one name in every hierarchy.
type Tree struct {
	name  string
	roots []string // mount points of the hierarchies
}

// Open returns the tree of that name, which need not exist yet.
func Open(name string) (*Tree, error) {
	points, err := mount.All()
	if err != nil {
		return nil, err
	}
	tree := &Tree{name: name, roots: hierarchies(points)}
	if len(tree.roots) == 0 {
		return nil, errors.New("no control groups are mounted below /sys/fs/cgroup; Kubernetes needs them")
	}
	return tree, nil
}

// hierarchies returns the mount points of the hierarchies, each once. Beside version 1 an empty version 2 is no use, but may hold groups.
func hierarchies(points []mount.Point) []string {
	var roots []string
	for _, point := range points {
		if (point.Type == "cgroup" || point.Type == "cgroup2") && !slices.Contains(roots, point.Path) {
			roots = append(roots, point.Path)
		}
	}
	return roots
}

// Create makes the tree, and in it the group "servers", whose directory it returns.
func (t *Tree) Create() (servers string, err error) {
	for _, root := range t.roots {
		if err := os.MkdirAll(filepath.Join(root, t.name), 0o755); err != nil && filepath.Base(root) != "unified" {
			return "", fmt.Errorf("making a control group: %w", err)
		}
	}
	servers = filepath.Join(t.home(), t.name, "servers")
	if err := os.MkdirAll(servers, 0o755); err != nil {
		return "", fmt.Errorf("making the servers' control group: %w", err)
	}
	return servers, nil
}

// home is the hierarchy that the servers are held in: any will do, and the one that counts processes limits nothing.
func (t *Tree) home() string {
	for _, root := range t.roots {
		if filepath.Base(root) == "pids" {
			return root
		}
	}
	return t.roots[0]
}

// Kill ends every process in the tree.
func (t *Tree) Kill(ctx context.Context) error {
	for range 500 {
		pids := t.processes()
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if err := t.kill(pid); err != nil {
				return fmt.Errorf("killing process %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("processes %v of the cluster do not end", t.processes())
}

// kill ends one process, if it is still in the tree once a handle is held that cannot pass to another process.
func (t *Tree) kill(pid int) error {
	handle, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil || !strings.Contains(string(groups), ":/"+t.name+"/") {
		return nil
	}
	if err := handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// processes returns the processes in the tree. One that has ended but was not yet waited for is not in its group's list.
func (t *Tree) processes() []int {
	found := map[int]bool{}
	for _, dir := range t.groups() {
		list, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue // the group has just gone
		}
		for _, field := range strings.Fields(string(list)) {
			// 0 stands for a process that this one cannot see.
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 && !ended(pid) {
				found[pid] = true
			}
		}
	}
	var pids []int
	for pid := range found {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// ended reports whether a process is a zombie: version 1 lists those too, and no signal helps.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, found := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), ") ")
	return found && (after[0] == 'Z' || after[0] == 'X')
}

// Remove removes the groups, which must be empty of processes.
func (t *Tree) Remove(ctx context.Context) error {
	var err error
	for range 100 {
		err = nil
		for _, dir := range t.groups() {
			if e := syscall.Rmdir(dir); e != nil && !errors.Is(e, syscall.ENOENT) {
				err = errors.Join(err, fmt.Errorf("removing control group %s: %w", dir, e))
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return err
}

// groups returns the directories of the tree, children before their parents.
func (t *Tree) groups() []string {
	var dirs []string
	for _, root := range t.roots {
		_ = filepath.WalkDir(filepath.Join(root, t.name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // a group that has just gone is no error
		})
	}
	slices.Reverse(dirs)
	return dirs
}
