package driver

// Recipe is the part of a request that runs programs while the image is built. It takes a container engine; a builder
// without one refuses it with [ErrInvalid].
type Recipe struct {
	// Dockerfile is a file on this machine that makes the base, in place of the request's Base.
	Dockerfile string
	// Context is the folder whose files the Dockerfile may copy; empty means that there are none.
	Context string
	// Options tune the Dockerfile's build.
	Options BuildOptions
	// Packages are packages of the base's distribution, such as "git" or "libgomp1=12.2.0-14".
	Packages []string
}

// Empty says that nothing is asked of an engine.
func (r Recipe) Empty() bool { return r.Dockerfile == "" && len(r.Packages) == 0 }

// BuildOptions are those of `docker build` that change what is built.
type BuildOptions struct {
	// Args are the Dockerfile's build arguments. They are no place for secrets: the image's history shows them.
	Args map[string]string
	// Target is the stage to build; empty means the last.
	Target string
	// Network is the network of RUN: "" (the engine's own), "host" or "none".
	Network string
	// Hosts are further names that RUN can look up: name -> address.
	Hosts map[string]string
	// Labels are set in the image's config.
	Labels map[string]string
	// Pull asks for the base again, although the engine has it; NoCache builds every instruction anew.
	Pull, NoCache bool
}
