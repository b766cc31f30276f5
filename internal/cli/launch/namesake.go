package launch

import (
	"os"
	"path/filepath"

	"github.com/proa-ml/proa/internal/cli/fault"
)

// unhidden checks that a folder of code, which Python looks into first, doesn't hold something else than the SDK by the
// SDK's name; who says what would import it.
func unhidden(folder, who string) error {
	if folder == "" { // of a spec that says of no folder
		return nil
	}
	for _, name := range []string{filepath.Join("proa", "__init__.py"), "proa.py"} { // in this order, Python finds the first
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash("runner/__main__.py"))); err == nil {
			return nil // a copy of the SDK
		}
		if filepath.Base(path) != "proa.py" {
			path = filepath.Dir(path)
		}
		return fault.New(fault.Configuration, "give it another name, and run the same command again",
			"%s is not the Python package proa, but hides it: %s would import it instead, since Python looks into %s first", path, who, folder)
	}
	return nil
}
