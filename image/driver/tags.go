package driver

import (
	"slices"
	"strings"
)

// Beginnings of the tags of what proa keeps in a repository beside the images of pipelines.
const (
	// EnvironmentTag is that of environments, on which images are built.
	EnvironmentTag = "env-"
	// RecipeTag is that of what a container engine has built, on which environments are.
	RecipeTag = "recipe-"
	// Coordinator is, with a hyphen, that of the coordinators' images.
	Coordinator = "coordinator"
	// NoteTag is that of notes of other repositories.
	NoteTag = "repository-"
	// attachedTag is that of lists of what is attached to an image, where the registry doesn't keep them.
	attachedTag = "sha256-"
)

// Reserved says that a tag begins like one of those, which pipelines must not overwrite.
func Reserved(tag string) bool {
	return slices.ContainsFunc([]string{EnvironmentTag, RecipeTag, Coordinator + "-", NoteTag, attachedTag},
		func(own string) bool { return strings.HasPrefix(tag, own) })
}
