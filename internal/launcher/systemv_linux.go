package launcher

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// clearSystemV removes the shared memory, semaphores and message queues of System V that a step has left.
func clearSystemV() {
	for _, kind := range []struct {
		list   string
		remove func(id uintptr)
	}{
		{"/proc/sysvipc/shm", func(id uintptr) { _, _, _ = unix.Syscall(unix.SYS_SHMCTL, id, unix.IPC_RMID, 0) }},
		{"/proc/sysvipc/sem", func(id uintptr) { _, _, _ = unix.Syscall6(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID, 0, 0, 0) }},
		{"/proc/sysvipc/msg", func(id uintptr) { _, _, _ = unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0) }},
	} {
		data, err := os.ReadFile(kind.list)
		if err != nil {
			continue // the kernel has none
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				continue
			}
			if id, err := strconv.ParseUint(fields[1], 10, 32); err == nil { // the first line is a heading
				kind.remove(uintptr(id))
			}
		}
	}
}
