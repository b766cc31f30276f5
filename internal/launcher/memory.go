package launcher

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// memory counts how often the kernel killed a process of this control group for its memory: the only way to tell that
// from a SIGKILL that somebody sent.
type memory struct {
	root   fs.FS
	file   string
	before int64
}

// openMemory finds the counter, in whatever of the two versions of control groups this machine has. Where there is none,
// nothing is ever counted.
func openMemory(root fs.FS) *memory {
	m := &memory{root: root}
	if root == nil {
		return m
	}
	for _, file := range counters(root) {
		if n, ok := m.count(file); ok {
			m.file, m.before = file, n
			break
		}
	}
	return m
}

// killed reports whether the count has grown.
func (m *memory) killed() bool {
	n, ok := m.count(m.file)
	return ok && n > m.before
}

// counters lists the files that may have the count, the likeliest first. A container sees its own group at the root of
// the mount, though its path may be the host's.
func counters(root fs.FS) []string {
	var v1, v2 string
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	lines := bufio.NewScanner(bytes.NewReader(groups))
	for lines.Scan() {
		// "0::/path" for version 2, "7:memory:/path" for version 1
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) < 3 {
			continue
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			v2 = fields[2]
		case fields[1] == "memory":
			v1 = fields[2]
		}
	}
	const mount = "sys/fs/cgroup"
	return []string{
		path.Join(mount, "memory", v1, "memory.oom_control"),
		path.Join(mount, "memory/memory.oom_control"),
		path.Join(mount, v2, "memory.events"),
		path.Join(mount, "memory.events"),
	}
}

func (m *memory) count(file string) (int64, bool) {
	if m.root == nil || file == "" {
		return 0, false
	}
	data, err := fs.ReadFile(m.root, file)
	if err != nil {
		return 0, false
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if text, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
