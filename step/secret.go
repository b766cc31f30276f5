package step

import (
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// SecretVariable says whether a step finds a secret's key as an environment variable of that name. Other keys, and those
// that look like proa's own variables, it finds in the secret alone.
func SecretVariable(key string) bool {
	return variable.MatchString(key) && !strings.HasPrefix(key, "PROA_")
}
