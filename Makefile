# Everything runs in a virtual environment of its own, made on first use; nothing but Python 3.11+ and make is needed.
# pip reads its own settings (PIP_INDEX_URL, PIP_FIND_LINKS, pip.conf, ...) as always: nothing here overrides them.

PYTHON ?= python3
VENV ?= .venv
# Test processes that run side by side.
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
EDITABLE := $(PIP) --no-build-isolation --editable

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check lint types current format generate bench setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.train ## check specs/lenet5.cnn, then train it on handwritten digits
	$(BIN)/cnndsl check specs/lenet5.cnn
	$(BIN)/cnndsl train specs/lenet5.cnn

test: $(VENV)/.dev ## the tests, but for the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m "not slow"

test-all: $(VENV)/.dev ## every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

check: lint types current test ## format, lint, types, generated files and tests: what must hold before a commit

lint: $(VENV)/.dev ## format and lint, without changing anything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy

current: $(VENV)/.dev ## whether every generated file is current
	$(BIN)/python -m cnndsl.generate --check

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/.dev ## write the generated files: the parser's tables, the indexes, the reference
	$(BIN)/python -m cnndsl.generate

bench: $(VENV)/.dev ## the benchmarks, as one table of ratios
	$(BIN)/python -m benchmarks

setup: $(VENV)/.dev ## only make the virtual environment, with everything in it

clean: ## remove the virtual environment and all caches (not runs/)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed; say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version 2>&1); say which to take: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing cnndsl and PyTorch into $(VENV), once; a few minutes ..."
	@$(PIP) hatchling editables
	@$(EDITABLE) '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	@echo "Installing what tests and checks need into $(VENV), once ..."
	@$(EDITABLE) '.[dev]'
	@# Tests compare with torchvision's models. Its wheel asks for a PyTorch of its own, which it does not need for them.
	@$(PIP) --no-deps torchvision pillow
	@touch $@
