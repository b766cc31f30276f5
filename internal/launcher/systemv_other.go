//go:build !linux

package launcher

// clearSystemV does nothing: a launcher has a pod to itself on Linux only.
func clearSystemV() {}
