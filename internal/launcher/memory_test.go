package launcher

import (
	"testing"
	"testing/fstest"
)

func TestMemoryCounter(t *testing.T) {
	const v2 = "low 0\nhigh 0\nmax 7\noom 1\noom_kill %\noom_group_kill 0\n"
	const v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill %\n"
	tests := map[string]struct{ groups, file, content string }{
		"version 2 in a container": {"0::/\n", "sys/fs/cgroup/memory.events", v2},
		"version 2 on a host":      {"0::/user.slice/x.scope\n", "sys/fs/cgroup/user.slice/x.scope/memory.events", v2},
		"version 1 in a container": {"7:memory:/kubepods/pod1/c2\n0::/\n", "sys/fs/cgroup/memory/memory.oom_control", v1},
		"version 1 on a host":      {"7:memory:/jobs\n1:cpu:/\n", "sys/fs/cgroup/memory/jobs/memory.oom_control", v1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{"proc/self/cgroup": {Data: []byte(tt.groups)}}
			put := func(n string) {
				content := []byte(tt.content)
				for i, c := range content {
					if c == '%' {
						content[i] = n[0]
					}
				}
				root[tt.file] = &fstest.MapFile{Data: content}
			}
			put("3")
			m := openMemory(root)
			if m.killed() {
				t.Error("an old kill counts")
			}
			put("4")
			if !m.killed() {
				t.Error("a kill doesn't count")
			}
		})
	}
}

func TestMemoryCounterMayBeMissing(t *testing.T) {
	for _, m := range []*memory{openMemory(fstest.MapFS{}), openMemory(nil)} {
		if m.killed() {
			t.Error("something was counted")
		}
	}
}
