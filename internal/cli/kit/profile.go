package kit

import (
	"path/filepath"

	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
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

// FilesOf returns the stacks and components of a profile; those in force if none is named.
func (k *Kit) FilesOf(profile string) (stack.Files, error) {
	if profile == "" || profile == k.Profile.Name {
		return k.Files, nil
	}
	if err := k.Profiles.Check(profile); err != nil {
		return stack.Files{}, err
	}
	return stack.Files{Dir: k.Profiles.Folder(profile), BuiltIn: k.Files.BuiltIn}, nil
}

// Between are the flags of a command that copies from one profile to another.
type Between struct{ From, To string }

// AddFlags gives a command the flags.
func (b *Between) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.From, "from", "", "the profile of SOURCE; the active one if not given")
	cmd.Flags().StringVar(&b.To, "to", "", "the profile of NEW; the active one if not given")
}

// Copy reads the source's profile and changes the other one.
func (k *Kit) Copy(b Between, change func(from, to *stack.Config) error) error {
	from, err := k.FilesOf(b.From)
	if err != nil {
		return err
	}
	to, err := k.FilesOf(b.To)
	if err != nil {
		return err
	}
	source, err := from.Load()
	if err != nil {
		return err
	}
	return to.Update(func(target *stack.Config) error { return change(source, target) })
}
