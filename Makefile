# `make run` and `make test` do all the set-up that they need; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/demo

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow check format docs lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready ## Java, the virtual environment, Spark's settings, the small models

$(VENV)/.ready: requirements/all.txt requirements/uv.txt pyproject.toml scripts/setup.sh curation/spark/spark-defaults.conf
	PYTHON="$(PYTHON)" VENV="$(VENV)" bash scripts/setup.sh
	@touch $@

run: setup ## the demo: the sample crawl through the whole flow, into $(OUT)
	$(BIN)/curation run conf/demo.yaml --out $(OUT)

test: setup ## linters, type checker, every test that this machine can run
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

test-slow: setup ## the tests that `make test` leaves out: whole flows that take minutes each
	$(BIN)/pytest -m slow

check: setup ## linters and unit tests: what every commit passes
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/unit -q

format: setup ## put the code in order
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: setup ## write docs/tables.md, docs/dataflow.md and docs/config.md from the code
	$(BIN)/python -m curation.docs docs

lock: setup ## resolve the requirements anew, with hashes and without addresses
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --upgrade --extra llm-cpu --extra bench --extra dev pyproject.toml -o requirements/all.txt
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header -c requirements/all.txt pyproject.toml -o requirements/core.txt

clean: ## remove what runs and tests made; not the environment
	rm -rf out build .pytest_cache .mypy_cache .ruff_cache
