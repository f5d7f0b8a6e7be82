PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export OMP_WAIT_POLICY ?= passive
OPENSEADRAGON := 6.1.1
.PHONY: demo studio docs pages browser viewer test test-slow test-lowest fuzz lint

demo: .venv/core
	@for image in examples/images/*.png examples/images/*.jpg; do \
		for engine in instant hybrid; do \
			$(BIN)/unica sample "$$image" --engine $$engine -n 4 --sheet -o demo/$$engine || exit; done; done
	@echo "The new pictures are in demo/instant and demo/hybrid; each *-sheet.png shows four of one source."

studio: .venv/studio
	$(BIN)/unica studio --open

# The documentation as a site that works from its files: build/docs/index.html.
docs: .venv/docs
	$(BIN)/python docs/make_site.py

# Everything that the pages tell users to type, in a new environment: some 20 minutes.
pages: .venv/dev
	$(BIN)/python docs/run_commands.py

browser:
	@command -v chromium >/dev/null || command -v apt-get >/dev/null || { echo "Install Chromium, which the studio's tests need."; exit 1; }
	@command -v chromium >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q chromium; }

# The program of the viewer's page, which `unica view` downloads at first use; here it comes by npm.
viewer: file = $${UNICA_WEIGHTS:-$${XDG_CACHE_HOME:-$$HOME/.cache}/unica}/openseadragon-$(OPENSEADRAGON).min.js
viewer:
	@test -f "$(file)" || command -v npm >/dev/null || { echo "Install npm, or run \`unica view\` once with a network."; exit 1; }
	@test -f "$(file)" || { folder=$$(mktemp -d) && mkdir -p "$$(dirname "$(file)")" \
		&& (cd "$$folder" && npm pack --silent openseadragon@$(OPENSEADRAGON) >/dev/null && tar -xzf openseadragon-*.tgz) \
		&& mv "$$folder/package/build/openseadragon/openseadragon.min.js" "$(file)" && rm -r "$$folder"; }

# Two processes with a thread each take half the time of one with two.
test: .venv/dev lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

test-slow: .venv/dev
	$(BIN)/pytest -m slow

# The oldest Python and libraries that are promised. Installing torch 2.6 takes gigabytes.
LOWEST ?= python3.10
test-lowest:
	$(LOWEST) -m venv .venv-lowest
	.venv-lowest/bin/pip install -q -c constraints-lowest.txt -e '.[large,text]' pytest pytest-xdist hypothesis scipy beartype
	PATH=$(CURDIR)/.venv-lowest/bin:$$PATH OMP_NUM_THREADS=1 \
		.venv-lowest/bin/pytest -o addopts= -m 'not slow' -n $(JOBS) --ignore tests/fuzz

fuzz: .venv/dev
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest tests/fuzz

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

.venv/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

.venv/studio: .venv/core
	$(BIN)/pip install -q -c constraints.txt -e '.[studio]'
	@touch $@

.venv/docs: .venv/core
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	@touch $@

.venv/dev: .venv/core
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@
