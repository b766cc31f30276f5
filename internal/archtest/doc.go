// Package archtest holds the architecture as tests: which package may import which, what the step's binary may link,
// and that every package says what it is for.
package archtest
