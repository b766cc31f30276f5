package buildkit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proa-ml/proa/image/driver"
)

// dockerfile writes what the engine builds: the user's Dockerfile, or the base, and then what the settings ask for. The
// last stage is the image. from is the base; it isn't used if there is a user's Dockerfile, whose text is given.
func dockerfile(r driver.Request, from, users string) string {
	var b strings.Builder
	if users == "" {
		fmt.Fprintf(&b, "FROM %s\n", from)
	} else {
		b.WriteString(strings.TrimRight(users, "\n") + "\n")
		if target := r.Recipe.Options.Target; target != "" {
			fmt.Fprintf(&b, "\nFROM %s\n", target)
		}
	}
	if len(r.Recipe.Packages)+len(r.Requirements) > 0 { // whose user may be another
		b.WriteString("\nUSER root\n")
	}
	b.WriteString(packages(r.Recipe.Packages))
	b.WriteString(requirements(r))
	return b.String()
}

func packages(names []string) string {
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("RUN apt-get update \\\n && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends")
	for _, name := range names {
		b.WriteString(" \\\n    " + quote(name))
	}
	b.WriteString(" \\\n && rm -rf /var/lib/apt/lists/*\n")
	return b.String()
}

// requirements are written to files of one instruction, so that every line that a requirements file may have works. The
// index comes as a secret: it may have a password in it, and belongs to this build, not to the image.
func requirements(r driver.Request) string {
	if len(r.Requirements) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("RUN --mount=type=cache,target=/root/.cache/" + cmp.Or(r.Installer, "pip") + " --mount=type=secret,id=" + pipEnv + " \\\n" +
		"    --mount=type=secret,id=" + pipConfig + " --mount=type=secret,id=" + pipCA + " \\\n" +
		"    . " + secretDir + pipEnv + " \\\n")
	b.WriteString(lines("requirements", append(slices.Clone(r.IndexOptions), r.Requirements...)))
	arguments := "-r /tmp/requirements.txt"
	if len(r.Constraints) > 0 {
		b.WriteString(lines("constraints", r.Constraints))
		arguments += " -c /tmp/constraints.txt"
	}
	for _, argument := range r.InstallerArgs {
		arguments += " " + quote(argument)
	}
	b.WriteString(installer(r.Installer, arguments))
	return b.String()
}

// lines writes a file.
func lines(name string, all []string) string {
	var b strings.Builder
	b.WriteString(" && printf '%s\\n'")
	for _, line := range all {
		b.WriteString(" \\\n    " + quote(line))
	}
	return b.String() + " > /tmp/" + name + ".txt \\\n"
}

// quote makes one word of a shell, on one line, out of any text; a line break would end the instruction.
func quote(text string) string {
	return "'" + strings.ReplaceAll(strings.NewReplacer("\n", " ", "\r", " ").Replace(text), "'", `'\''`) + "'"
}
