//go:build unix && !linux

package proc

import (
	"runtime"
	"syscall"
	"time"
)

// rssUnit is the unit of Rusage.Maxrss in bytes.
func rssUnit() int64 {
	if runtime.GOOS == "darwin" {
		return 1
	}
	return 1024
}

// What follows needs Linux: elsewhere the group is killed just after the child was reaped, and descendants that left
// the group live on.

func dieWithParent(*syscall.SysProcAttr) {}

func await(int) bool { return false }

func adoptOrphans() {}

type orphanage struct{}

func openOrphanage(int) *orphanage { return nil }

func (*orphanage) close() (time.Duration, int64) { return 0, 0 }
