# `make` alone lists the targets. Each target does its own set-up; only Python (3.11 or newer) and make are needed.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
PORT ?= 8888
FUZZ_SECONDS ?= 600
VENV := .venv
BIN := $(VENV)/bin
GENERATED := snakepit_jupyter/codecs/_generated
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check format proto js fuzz bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "snakepit-jupyter needs Python 3.11 or newer; choose one with: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[demo]' --group dev
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo  ## open the tour in JupyterLab (PORT=8888)
	$(BIN)/python tools/demo.py --port $(PORT)

test: $(VENV)/.dev  ## run all tests, the browser's included
	$(BIN)/python tools/chromium.py
	$(BIN)/python -m pytest

check: $(VENV)/.dev  ## formatter, linter, strict types, layers, generated code up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py
	$(BIN)/python tools/generate.py --check

format: $(VENV)/.dev  ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: $(VENV)/.dev  ## make the gRPC code from proto/ again
	$(BIN)/python tools/generate.py proto

js: $(VENV)/.dev  ## bundle the front end from js/ again (needs node)
	$(BIN)/python tools/generate.py js

fuzz: $(VENV)/.dev  ## give random bytes to everything that reads a wire (FUZZ_SECONDS=600)
	$(BIN)/python -m pip install -q --group fuzz
	$(BIN)/python tests/fuzz/fuzz_wire.py -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix=tests/fuzz/found- $(VENV)/fuzz tests/fuzz/corpus

bench: $(VENV)/.dev  ## measure the figures of the README
	$(BIN)/python benchmarks/bench.py

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist js/node_modules .mypy_cache .pytest_cache .ruff_cache
