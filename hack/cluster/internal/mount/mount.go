// Package mount finds and removes the mounts below a directory.
package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A Point is one mounted file system.
type Point struct {
	Path string
	Type string
}

// All returns the mounts that this process sees, in the order in which they were made.
func All() ([]Point, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	return parse(string(info)), nil
}

// parse reads mountinfo: "36 35 98:0 /root /mnt/point options [tags...] - type source superoptions".
func parse(info string) []Point {
	var points []Point
	for line := range strings.Lines(info) {
		before, after, found := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 5 || len(rest) < 1 {
			continue
		}
		points = append(points, Point{Path: unescape(fields[4]), Type: rest[0]})
	}
	return points
}

// unescape undoes the kernel's octal escapes of spaces and the like.
func unescape(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if code, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		out.WriteByte(path[i])
	}
	return out.String()
}

// Below returns the paths of the mounts at or below dir, the last made first, which is the order in which they can be removed.
func Below(points []Point, dir string) []string {
	var paths []string
	for _, point := range points {
		if point.Path == dir || strings.HasPrefix(point.Path, dir+string(filepath.Separator)) {
			paths = append(paths, point.Path)
		}
	}
	slices.Reverse(paths)
	return paths
}

// RemoveBelow removes the mounts at and below dir, also those in use.
func RemoveBelow(dir string) error {
	points, err := All()
	if err != nil {
		return err
	}
	var failed error
	for _, path := range Below(points, dir) {
		err := syscall.Unmount(path, syscall.MNT_DETACH)
		// With shared propagation the removal of one mount can take another along.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			failed = errors.Join(failed, fmt.Errorf("unmounting %s: %w", path, err))
		}
	}
	return failed
}
