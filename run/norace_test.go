//go:build !race

package run

// simDefault is the number of schedules unless a flag says otherwise.
const simDefault = 2000
