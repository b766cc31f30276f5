package proc

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rssUnit is the unit of Rusage.Maxrss in bytes.
func rssUnit() int64 { return 1024 }

func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// await returns when the child has ended, without taking its status. It returns false if it can't do that.
func await(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// adoptOrphans makes this process the parent of its orphaned descendants.
func adoptOrphans() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// orphanage reaps adopted processes while the child runs.
type orphanage struct {
	child   int
	signals chan os.Signal
	stop    chan struct{}
	stopped chan struct{}
	cpu     time.Duration
	rss     int64
}

func openOrphanage(child int) *orphanage {
	o := &orphanage{child: child, signals: make(chan os.Signal, 1), stop: make(chan struct{}), stopped: make(chan struct{})}
	signal.Notify(o.signals, syscall.SIGCHLD)
	go o.run()
	return o
}

func (o *orphanage) run() {
	defer close(o.stopped)
	for {
		o.reapOthers()
		select {
		case <-o.signals:
		case <-o.stop:
			return
		}
	}
}

// reapOthers reaps adopted processes that have ended, up to the child itself, whose status isn't taken from its owner.
func (o *orphanage) reapOthers() {
	for {
		pid := ended()
		if pid <= 0 || pid == o.child {
			return
		}
		_, _ = o.reap(pid)
	}
}

// reap takes the status of a process that has ended, or of any if pid is -1. It returns what wait4 does.
func (o *orphanage) reap(pid int) (int, error) {
	var ru syscall.Rusage
	got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, &ru)
	if err == nil && got > 0 {
		cpu, rss := rusage(&ru)
		o.cpu += cpu
		o.rss = max(o.rss, rss)
	}
	return got, err
}

// close kills and reaps all adopted processes, when the child itself was reaped, and returns what they used.
func (o *orphanage) close() (time.Duration, int64) {
	if o == nil {
		return 0, 0
	}
	close(o.stop)
	<-o.stopped
	deadline := time.NewTimer(outputWait)
	defer deadline.Stop()
	defer signal.Stop(o.signals)
	for {
		pid, err := o.reap(-1)
		switch {
		case errors.Is(err, syscall.ECHILD):
			return o.cpu, o.rss
		case err == nil && pid == 0:
			killChildren()
			select {
			case <-o.signals:
			case <-deadline.C:
				return o.cpu, o.rss
			}
		}
	}
}

// ended returns the id of a child that has ended and was not reaped; 0 if there is none.
func ended() int {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		return 0
	}
	// The process id is the first member of siginfo's union, which follows three ints and is aligned as a pointer is.
	const word = unsafe.Sizeof(uintptr(0))
	const offset = (3*4 + word - 1) / word * word
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), offset)))
}

// killChildren kills every child of this process.
func killChildren() {
	self := os.Getpid()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && parent(path) == self {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// parent reads the parent's id from a stat file: "pid (name) state ppid ...", where the name may hold anything.
func parent(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
