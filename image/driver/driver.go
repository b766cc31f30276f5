// Package driver is the contract of an image builder: something that makes a container image out of a base,
// requirements and code, and pushes it to a registry.
package driver

import (
	"context"
	"time"

	"github.com/proa-ml/proa/spec"
)

// Request is one image to build.
type Request struct {
	// Repository is "<registry>/proa" and Tag the pipeline's tag; pods run the digest that Build returns.
	Repository string
	Tag        string
	// Home is the stack's repository if Repository is another one beside it, and may be empty.
	Home string
	// Base is the reference of the base image.
	Base string
	// Platform is "linux/amd64" or "linux/arm64", or both with a comma between: then the image is an index of two.
	Platform string
	// Python is the minor version to resolve for, such as "3.11"; Interpreter is a Python of that version on this
	// machine, used to compile bytecode, if there is one.
	Python      string
	Interpreter string
	// Root is the folder that relative paths in what follows start from: the user's project.
	Root string
	// Requirements are requirement specifiers and Constraints bounds on them; their order doesn't matter. IndexOptions are
	// options of a requirements file, one per element, and Lock a file of requirements in another format.
	Requirements []string
	Constraints  []string
	IndexOptions []string
	Lock         *spec.Lock
	// Installer is "uv" or "pip", and empty for the builder's own choice; a builder may have one only. InstallerArgs are further
	// arguments of it; Secrets are variables of its environment, which are kept out of
	// everything that is stored or shown.
	Installer     string
	InstallerArgs []string
	Secrets       map[string]string
	// Environment is set in the image; User, numeric, is who it runs as, and empty means the usual one.
	Environment map[string]string
	User        string
	// Files are our own parts (launcher and SDK): absolute path in the image -> file or folder on this machine.
	Files map[string]string
	// PlatformFiles are more of them that differ from platform to platform.
	PlatformFiles map[string]map[string]string
	// Code is the folder that becomes /app; empty means no code layer. Ignore is a file of patterns that replaces its
	// .dockerignore.
	Code   string
	Ignore string
	// Labels are set in the image's config, and Annotations in its manifest; neither is part of the environment.
	Labels      map[string]string
	Annotations map[string]string
	// Rebuild makes the environment again, though an equal one is there.
	Rebuild bool
	// Ready runs the base as it is: proa has built it before.
	Ready bool
	// Recipe is what only a container engine can do.
	Recipe Recipe
}

// Image is a pushed image.
type Image struct {
	// Ref is "<repository>@sha256:…".
	Ref string
	// Key is the build key of the environment (all but the code layer).
	Key string
	// Reused says that the environment was found, not built.
	Reused bool
}

// Progress receives what a builder is doing, for people.
type Progress interface {
	// Phase begins a phase ("resolving 2 requirements"); Detail tells of its course ("uploaded 12 of 87 MB").
	Phase(name string)
	Detail(text string)
}

// Noter is a Progress that also takes what should stay on the screen and in logs: a warning, or that a large layer is there.
type Noter interface {
	Note(text string)
}

// Builder builds images. Building the same request twice gives the same digest.
type Builder interface {
	Build(ctx context.Context, r Request, p Progress) (Image, error)
	// Binary pushes an image that holds one static program on an empty base, and runs it. It returns the reference by
	// digest; a program that is there already is not pushed again.
	Binary(ctx context.Context, repository, tag, platform, program string, p Progress) (Image, error)
}

// Packer is a builder that can pack a request's code into an archive, for steps that fetch it when they start.
type Packer interface {
	// Pack returns an archive as step.CodeKey says, made as the code's layer would be: equal code is an equal archive.
	Pack(ctx context.Context, r Request, p Progress) (Archive, error)
}

// Archive is a file on this machine.
type Archive struct {
	Path string
	// Digest is "sha256:…" of the file.
	Digest string
	Size   int64
}

// Checker is a builder that can say whether it may push to a repository, without pushing anything.
type Checker interface {
	Check(ctx context.Context, repository string) error
}

// BaseChecker is a builder that can say whether it can read a base image, to build on it what goes to a repository.
type BaseChecker interface {
	CheckBase(ctx context.Context, base, repository string) error
}

// Puller is a builder that knows the credentials with which its images can be pulled.
type Puller interface {
	PullConfig(ctx context.Context, repository string) (PullConfig, error)
}

// PullConfig are credentials to pull images with. It is secret.
type PullConfig struct {
	// Data is what a Docker configuration file says; nil where there are none: then the nodes know how to pull, or need not.
	Data []byte
	// Until is when they expire; zero if they don't.
	Until time.Time
}

// Finder is a builder that can look an image up.
type Finder interface {
	// Find returns the digest that ref, an image's name with a tag or a digest, stands for now, and whether there is such
	// an image. repository is the one that images are pushed to: what is on the same registry is reached as it is.
	Find(ctx context.Context, ref, repository string) (digest string, found bool, err error)
}
