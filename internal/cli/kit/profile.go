package kit

import (
	"path/filepath"

	"github.com/proa-ml/proa/stack"
)

// Profile is the profile in force, and where that is set.
type Profile struct {
	Name string
	// Repository is set if the repository that the working directory is in names the profile.
	Repository *stack.Repository
	// Err says why it isn't known which one is, or that it doesn't exist.
	Err error
}

// Scope is where the active profile is set, in words.
func (p Profile) Scope() string {
	if p.Repository != nil {
		return "repository " + p.Repository.Root
	}
	return "global"
}

// ActiveProfile finds out which profile is in force in a folder.
func ActiveProfile(profiles stack.Profiles, dir string) Profile {
	p := Profile{}
	if repository := stack.FindRepository(dir); repository != nil {
		if p.Name, p.Err = repository.Profile(); p.Name != "" || p.Err != nil {
			p.Repository = repository
		}
	}
	if p.Name == "" && p.Err == nil {
		p.Name, p.Err = profiles.Active()
	}
	if p.Name != stack.DefaultName && p.Err == nil {
		p.Err = profiles.Check(p.Name)
	}
	return p
}

// ProfileData is where a profile's built-in stack keeps its data.
func ProfileData(dataDir, profile string) string {
	if profile == stack.DefaultName || dataDir == "" {
		return dataDir
	}
	return filepath.Join(dataDir, "profiles", profile)
}
