package buildkit

import (
	"strings"
)

// uvNames are uv's variables for where packages are, each with pip's of the same meaning.
func uvNames() map[string]string {
	return map[string]string{"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "UV_INDEX": "PIP_EXTRA_INDEX_URL", "UV_INSECURE_HOST": "PIP_TRUSTED_HOST"}
}

// findUV adds how uv finds packages: by its own variables or, where they say nothing, as pip does, whose configuration it
// doesn't read.
func (i Index) findUV(env func(string) string) {
	options := pipOptions(i.Config)
	for name, pips := range uvNames() {
		older := map[string]string{"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}[name]
		key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(pips, "PIP_")), "_", "-")
		for _, value := range []string{env(name), env(older), i.Variables[pips], options[key]} {
			if value != "" {
				i.Variables[name] = value
				break
			}
		}
	}
}

// pipOptions reads the options of all of pip's commands, and of its command install, from its configuration file.
func pipOptions(config []byte) map[string]string {
	options, section, key := map[string]string{}, "", ""
	for line := range strings.Lines(string(config)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";"):
		case strings.HasPrefix(text, "["):
			section, key = strings.Trim(text, "[]"), ""
		case section != "global" && section != "install":
		case line[0] == ' ' || line[0] == '\t': // goes on with the line before
			options[key] = strings.TrimSpace(options[key] + " " + text)
		default:
			name, value, _ := strings.Cut(text, "=")
			key = strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
			options[key] = strings.TrimSpace(value)
		}
	}
	return options
}

// installer is the command that installs a requirements file. uv is the base's own or, in a base without it, comes from the
// index and is gone when the command has ended.
func installer(name, arguments string) string {
	const pip = "python3 -m pip install --no-input --disable-pip-version-check --root-user-action=ignore"
	if name != "uv" {
		return " && " + pip + " " + arguments + " \\\n && rm /tmp/*.txt\n"
	}
	return " && { command -v uv > /dev/null || " + pip + " --quiet --target /tmp/uv uv; } \\\n" +
		" && PATH=\"$PATH:/tmp/uv/bin\" uv pip install --system " + arguments + " \\\n && rm -rf /tmp/*.txt /tmp/uv\n"
}
