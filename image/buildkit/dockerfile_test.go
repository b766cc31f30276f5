package buildkit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proa-ml/proa/image/driver"
)

func TestDockerfile(t *testing.T) {
	for name, c := range map[string]struct {
		request driver.Request
		users   string
		want    string
	}{
		"packages": {
			request: driver.Request{Recipe: driver.Recipe{Packages: []string{"git", "libgomp1=12.2.0-14"}}},
			want: `FROM python:3.11-slim@sha256:0

USER root
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    'git' \
    'libgomp1=12.2.0-14' \
 && rm -rf /var/lib/apt/lists/*
`,
		},
		"requirements": {
			request: driver.Request{
				Requirements: []string{"scikit-learn>=1.3", "it's; python_version < '4'"}, Constraints: []string{"numpy<2"},
				IndexOptions: []string{"--extra-index-url https://example.com/simple"}, InstallerArgs: []string{"--no-deps"},
			},
			want: `FROM python:3.11-slim@sha256:0

USER root
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.env \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    . /run/secrets/pip.env \
 && printf '%s\n' \
    '--extra-index-url https://example.com/simple' \
    'scikit-learn>=1.3' \
    'it'\''s; python_version < '\''4'\''' > /tmp/requirements.txt \
 && printf '%s\n' \
    'numpy<2' > /tmp/constraints.txt \
 && python3 -m pip install --no-input --disable-pip-version-check --root-user-action=ignore -r /tmp/requirements.txt -c /tmp/constraints.txt '--no-deps' \
 && rm /tmp/*.txt
`,
		},
		"requirements, with uv": {
			request: driver.Request{Requirements: []string{"tabulate"}, Installer: "uv", InstallerArgs: []string{"--no-deps"}},
			want: `FROM python:3.11-slim@sha256:0

USER root
RUN --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=pip.env \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    . /run/secrets/pip.env \
 && printf '%s\n' \
    'tabulate' > /tmp/requirements.txt \
 && { command -v uv > /dev/null || python3 -m pip install --no-input --disable-pip-version-check --root-user-action=ignore --quiet --target /tmp/uv uv; } \
 && PATH="$PATH:/tmp/uv/bin" uv pip install --system -r /tmp/requirements.txt '--no-deps' \
 && rm -rf /tmp/*.txt /tmp/uv
`,
		},
		"a user's own": {
			users:   "FROM debian AS one\nRUN true\n\n",
			request: driver.Request{Recipe: driver.Recipe{Dockerfile: "Dockerfile"}},
			want:    "FROM debian AS one\nRUN true\n",
		},
		"a stage of a user's own, and a package": {
			users:   "FROM debian AS one\nFROM one AS two\n",
			request: driver.Request{Recipe: driver.Recipe{Dockerfile: "Dockerfile", Options: driver.BuildOptions{Target: "one"}, Packages: []string{"git"}}},
			want: `FROM debian AS one
FROM one AS two

FROM one

USER root
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    'git' \
 && rm -rf /var/lib/apt/lists/*
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, dockerfile(c.request, "python:3.11-slim@sha256:0", c.users)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
