// Package examples holds the examples, so that the program carries them along.
package examples

import "embed"

// Files holds a folder for each example. Its script is run.py, and what that needs, if anything, is in requirements.txt.
//
//go:embed digits quickstart
var Files embed.FS
