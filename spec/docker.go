package spec

import "encoding/json"

// Docker says what the image of a step is made of. No Docker is needed to build it; the name is the field's usual one.
// A step's fields go before its pipeline's, one by one; environments are merged variable by variable.
type Docker struct {
	// ParentImage is the base image; empty means the stack's choice, in the end python:<version>-slim.
	ParentImage string `json:"parent_image,omitempty"`
	// Requirements are requirement specifiers, one per element, as in a requirements file, with their hashes.
	Requirements []string `json:"requirements,omitempty"`
	// Constraints bound the versions of what is installed, without asking for it.
	Constraints []string `json:"constraints,omitempty"`
	// IndexOptions say where packages come from, one option of a requirements file per element. ${NAME} in them stands for
	// an environment variable of whoever builds; credentials are given so, never literally.
	IndexOptions []string `json:"index_options,omitempty"`
	// Lock is a file that names requirements in another format.
	Lock *Lock `json:"lock,omitempty"`
	// Integrations name sets of requirements.
	Integrations []string `json:"required_integrations,omitempty"`
	// InstallStackRequirements adds what the stack's components need in a step's Python; nil means yes.
	InstallStackRequirements *bool `json:"install_stack_requirements,omitempty"`
	// Installer resolves and installs: "uv" (the default) or "pip"; InstallerArgs are further arguments for it.
	Installer     string   `json:"python_package_installer,omitempty"`
	InstallerArgs []string `json:"python_package_installer_args,omitempty"`
	// BuildSecrets are variables of the installer's environment: name -> reference to a secret's key, "{{secret.key}}".
	BuildSecrets map[string]string `json:"build_secrets,omitempty"`
	// AptPackages are Debian packages to install.
	AptPackages []string `json:"apt_packages,omitempty"`
	// Environment is set in the image; RuntimeEnvironment only for the step's process, so that a change needs no new image.
	Environment        map[string]string `json:"environment,omitempty"`
	RuntimeEnvironment map[string]string `json:"runtime_environment,omitempty"`
	// User is the numeric user, and group if need be, that the step runs as: "1000" or "1000:1000".
	User string `json:"user,omitempty"`
	// Platform is "os/arch", such as "linux/amd64" (the default), or several with commas between.
	Platform string `json:"platform,omitempty"`
	// Code says how the user's code gets to the step: "image" (the default) puts it in the image, "store" into the artifact
	// store, "none" nowhere: then the image has it.
	Code string `json:"code,omitempty"`
	// Dockerignore is a file of patterns to leave out of the code, in place of .dockerignore; relative to the source's root.
	Dockerignore string `json:"dockerignore,omitempty"`
	// TargetRepository is the repository within the registry; ImageTag the tag within that.
	TargetRepository string `json:"target_repository,omitempty"`
	ImageTag         string `json:"image_tag,omitempty"`
	// SkipBuild runs the parent image as it is, which proa has built before.
	SkipBuild *bool `json:"skip_build,omitempty"`
	// PreventBuildReuse builds the environment again even if an equal one is there.
	PreventBuildReuse *bool `json:"prevent_build_reuse,omitempty"`
	// Dockerfile makes the parent image, from BuildContextRoot and with BuildOptions.
	Dockerfile       string                     `json:"dockerfile,omitempty"`
	BuildContextRoot string                     `json:"build_context_root,omitempty"`
	BuildOptions     map[string]json.RawMessage `json:"build_options,omitempty"`
}

// Lock is a file of requirements: "pyproject.toml", "uv.lock" or "pylock.toml".
type Lock struct {
	// Path is relative to the source's root, or absolute if the file is elsewhere.
	Path string `json:"path"`
	// Digest is "sha256:…" of the file, so that a change of it is a change of the image.
	Digest string `json:"digest"`
	// Extras and Groups are the optional dependencies to install too.
	Extras []string `json:"extras,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// Ways of bringing code to a step; see Docker.Code.
const (
	CodeImage = "image"
	CodeStore = "store"
	CodeNone  = "none"
)
