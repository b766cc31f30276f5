package mount

import (
	"slices"
	"testing"
)

func TestBelow(t *testing.T) {
	const info = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
41 22 0:40 / /state/a rw shared:10 - tmpfs tmpfs rw
42 41 0:41 / /state/a/deep rw - overlay overlay rw,lowerdir=/x
43 22 0:42 / /state-of-another rw - tmpfs tmpfs rw
44 22 0:43 / /state/with\040space rw - tmpfs tmpfs rw
45 22 0:4 net:[4026532] /state/netns rw shared:11 master:3 - nsfs nsfs rw
a line that is none
`
	points := parse(info)
	got := Below(points, "/state")
	want := []string{"/state/netns", "/state/with space", "/state/a/deep", "/state/a"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Contains(points, Point{Path: "/sys/fs/cgroup/pids", Type: "cgroup"}) {
		t.Errorf("no control groups in %v", points)
	}
}
