PYTHON ?= python3
BIN := .venv/bin
export OMP_WAIT_POLICY ?= passive
.PHONY: demo test test-slow fuzz lint

demo: .venv/core
	@for image in examples/images/*.png examples/images/*.jpg; do \
		for engine in instant hybrid; do \
			$(BIN)/unica sample "$$image" --engine $$engine -n 4 --sheet -o demo/$$engine || exit; done; done
	@echo "The new pictures are in demo/instant and demo/hybrid; each *-sheet.png shows four of one source."

test: .venv/dev lint
	$(BIN)/pytest

test-slow: .venv/dev
	$(BIN)/pytest -m slow

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

.venv/dev: .venv/core
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@
