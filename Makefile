# proa: run `make help` for the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' python/proa/__init__.py)
LDFLAGS  := -s -w -X github.com/proa-ml/proa/internal/cli.Version=$(VERSION)
PYTHON   ?= python3
VENV     := build/venv
CLUSTER  := go run ./hack/cluster
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
STEP      = @printf '\033[1m==> %s\033[0m\n' "$(1)"

# A recipe that needs the throw-away cluster, or the one named by PROA_TEST_CONTEXT, begins with this.
WITH_CLUSTER = if [ -z "$${PROA_TEST_CONTEXT:-}" ]; then $(CLUSTER) up; eval "$$($(CLUSTER) env)"; fi

.PHONY: help build wheel venv test test-go test-python test-e2e chaos lint demo bench cluster cluster-down clean golden FORCE

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

build: bin/proa bin/proa-step ## write bin/proa and bin/proa-step

bin/%: FORCE
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

# The launcher for images of another platform: make bin/proa-step-linux-arm64
bin/proa-step-linux-%: FORCE
	@mkdir -p bin
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/proa-step

wheel: build ## write dist/proa-<version>-*.whl, which carries the binaries
	$(PYTHON) python/build_wheel.py

# What Python tests and examples need: the tools, the libraries, and proa itself from its wheel.
venv: wheel
	$(call STEP,Python environment in $(VENV))
	@[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	@cmp -s python/requirements-dev.txt $(VENV)/requirements || { \
	  $(VENV)/bin/pip install --quiet --disable-pip-version-check -r python/requirements-dev.txt; \
	  cp python/requirements-dev.txt $(VENV)/requirements; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/proa-$(VERSION)-*.whl

test: lint test-python test-go test-e2e ## run everything: Go with the race detector, Python, and end to end on a real cluster
	$(call STEP,all tests passed)

lint: venv ## check formats, types and the usual mistakes
	$(call STEP,formats and static checks)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	go vet ./...
	$(GOLANGCI) run ./...
	cd python && ../$(VENV)/bin/ruff check . ../examples ../hack/bench ../e2e && ../$(VENV)/bin/ruff format --check . ../examples ../hack/bench ../e2e && ../$(VENV)/bin/mypy

test-python: venv ## run the Python tests
	$(call STEP,Python tests)
	cd python && ../$(VENV)/bin/python -m pytest -q

# The page of a run is opened in a real browser, which comes with a Debian package.
.PHONY: browser
browser:
	@command -v chromium-headless-shell || command -v chromium || command -v google-chrome || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get -qq update && apt-get -y -qq --no-install-recommends install chromium-headless-shell; } || \
	  echo "no Chromium: tests of pages are skipped"

test-go: venv browser ## run the Go tests, with the race detector and against the real services
	$(call STEP,Go tests)
	@$(WITH_CLUSTER); export PATH=$(CURDIR)/$(VENV)/bin:$$PATH; \
	  go test -race -timeout 20m $$(go list ./... | grep -v -e /e2e$$ -e /cmd/proa$$); \
	  go test -timeout 10m ./cmd/proa # its scripts start hundreds of processes, each of which the detector would slow down fourfold

test-e2e: venv ## run the end-to-end scripts on the local stack and on the real cluster
	$(call STEP,end-to-end tests)
	@$(WITH_CLUSTER); set -x; PROA_TEST_VENV=$(CURDIR)/$(VENV) go test -v -parallel 4 -timeout 30m ./e2e

# Long tests say so with testbed.Long; their names begin with TestChaos.
chaos: venv ## run the long tests: faults of all kinds during runs on the real cluster (about half an hour)
	$(call STEP,long tests)
	@$(WITH_CLUSTER); export PATH=$(CURDIR)/$(VENV)/bin:$$PATH; set -x; PROA_TEST_CHAOS=1 PROA_TEST_VENV=$(CURDIR)/$(VENV) \
	  go test -v -p 1 -timeout 60m -run '^TestChaos' ./e2e $$(grep -rl --include='*_test.go' 'testbed\.Long(' . | xargs -n 1 dirname | grep -v '^./e2e$$' | sort -u)

demo: wheel ## run the digits example on this machine and on Kubernetes (CONTEXT=name for your own cluster)
	@hack/demo $(CONTEXT)

bench: venv ## measure, beside bare pods on the same cluster; writes docs/benchmarks.md and build/bench.json
	@$(WITH_CLUSTER); go run ./hack/bench -venv $(VENV)

cluster: ## start the throw-away Kubernetes and its services
	$(CLUSTER) up

cluster-down: ## stop it and remove what it left
	$(CLUSTER) down

golden: ## write the golden files again
	cd python && ../$(VENV)/bin/python -m pytest -q --update
	go test ./spec ./plan ./cmd/proa -update

clean: ## remove what was built
	rm -rf bin build dist
