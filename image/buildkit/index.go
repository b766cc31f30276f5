package buildkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The secrets that pip gets: variables, its configuration file, and the authorities that sign the index's certificate.
// They stand in secretDir while a command runs that asks for them, and are in no layer.
const (
	pipEnv    = "pip.env"
	pipConfig = "pip.conf"
	pipCA     = "ca.pem"
	secretDir = "/run/secrets/"
)

// Index is how pip and uv find packages during a build: as it does on this machine.
type Index struct {
	// Variables are pip's own, such as PIP_INDEX_URL, and uv's.
	Variables map[string]string
	// Config is a pip configuration file; CA holds certificates in PEM. Both may be empty.
	Config, CA []byte
}

// String keeps what may be a password out of logs.
func (i Index) String() string {
	return fmt.Sprintf("{%d variables, config of %d bytes, CA of %d bytes}", len(i.Variables), len(i.Config), len(i.CA))
}

// GoString does so for %#v.
func (i Index) GoString() string { return i.String() }

// FindIndex reads how pip is set up on this machine: the variables that say where packages are, the configuration file,
// and the authorities of PIP_CERT or SSL_CERT_FILE.
func FindIndex(env func(string) string) (Index, error) {
	index := Index{Variables: map[string]string{}}
	for _, name := range []string{"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT"} {
		if value := env(name); value != "" {
			index.Variables[name] = value
		}
	}
	var err error
	if path := configFile(env); path != "" {
		if index.Config, err = os.ReadFile(path); err != nil {
			return Index{}, fmt.Errorf("reading pip's configuration: %w", err)
		}
	}
	for _, name := range []string{"PIP_CERT", "SSL_CERT_FILE"} {
		if path := env(name); path != "" && len(index.CA) == 0 {
			if index.CA, err = os.ReadFile(path); err != nil {
				return Index{}, fmt.Errorf("reading the certificates that %s names: %w", name, err)
			}
		}
	}
	index.findUV(env)
	return index, nil
}

// configFile is the first of pip's configuration files that there is.
func configFile(env func(string) string) string {
	if path := env("PIP_CONFIG_FILE"); path != "" {
		if path == os.DevNull {
			return ""
		}
		return path
	}
	home, config := env("HOME"), env("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	for _, path := range []string{filepath.Join(config, "pip", "pip.conf"), filepath.Join(home, ".pip", "pip.conf"), "/etc/pip.conf"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}

// secrets are the files that pip is given; more are variables of the request.
func (i Index) secrets(more map[string]string) map[string][]byte {
	all := map[string][]byte{}
	var lines strings.Builder
	export := func(name, value string) { fmt.Fprintf(&lines, "export %s=%s\n", name, quote(value)) }
	for _, tool := range []string{"PIP", "UV"} {
		export(tool+"_BREAK_SYSTEM_PACKAGES", "1")
	}
	export("UV_LINK_MODE", "copy") // its cache is on another file system
	for _, variables := range []map[string]string{i.Variables, more} {
		for name, value := range variables {
			export(name, value)
		}
	}
	if len(i.Config) > 0 {
		export("PIP_CONFIG_FILE", secretDir+pipConfig)
		all[pipConfig] = i.Config
	}
	if len(i.CA) > 0 {
		export("PIP_CERT", secretDir+pipCA)
		export("SSL_CERT_FILE", secretDir+pipCA)
		all[pipCA] = i.CA
	}
	all[pipEnv] = []byte(lines.String())
	return all
}
