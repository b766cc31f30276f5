package driver

import "fmt"

// Elsewhere is the way out of a registry that takes nothing.
const Elsewhere = "push elsewhere: `proa container-registry update NAME --uri=HOST/PATH`"

// Denied is the error of a registry that wants other credentials. doing is what was tried with a repository, such as "push to";
// reason is what the registry said.
func Denied(registry, doing, repository, reason string) error {
	return fmt.Errorf("%w: registry %s does not let us %s %s: log in with `docker login %s`, or set username and password on the "+
		"container registry: it answered %s", ErrRefused, registry, doing, repository, registry, reason)
}

// ReadOnly is the error of a registry that takes no images.
func ReadOnly(registry, doing, repository, reason string) error {
	return fmt.Errorf("%w: could not %s %s: registry %s is read-only, or a mirror: %s: it answered %s",
		ErrRefused, doing, repository, registry, Elsewhere, reason)
}
