//go:build race

package run

// simDefault: one goroutine has no races to look for, and is ten times slower.
const simDefault = 200
