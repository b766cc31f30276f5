package launcher

import (
	"os"
	"path/filepath"
	"slices"
)

// The kernel shows shared memory and message queues of POSIX as files in these folders.
const (
	memoryFolder = "/dev/shm"
	queuesFolder = "/dev/mqueue"
)

// clearScratch removes what a step has left in the places that its pod has to itself, so that the next one doesn't see it.
// Where shared memory is among them, all else that processes communicate through is the pod's own, too.
func clearScratch(folders []string) {
	for _, folder := range folders {
		clearFolder(folder)
	}
	if slices.Contains(folders, memoryFolder) {
		clearFolder(queuesFolder)
		clearSystemV()
	}
}

// clearFolder empties a folder but for the files of processes to fork from.
func clearFolder(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if entry.Name() != originFolder {
			workFolder(filepath.Join(folder, entry.Name())).remove()
		}
	}
}
