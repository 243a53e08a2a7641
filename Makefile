PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUITES := context_recall action_calling reasoning_gym human_eval

.DEFAULT_GOAL := help
.PHONY: help run viewer demo test test-quick test-cluster nightly reliability check page bench catalogue reference clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15

run: $(VENV)/installed ## run four real benchmarks on a small local model (no key needed)
	@$(BIN)/benchmarks run --benchmarks $(SUITES) --provider local --model smollm2-135m
	@echo "Look at the scores:   make viewer   (or: $(BIN)/benchmarks show-runs)"

viewer: $(VENV)/installed ## serve the viewer on http://127.0.0.1:8877
	@$(BIN)/benchmarks serve-viewer

demo: $(VENV)/installed ## serve the viewer on a simulated history of four weeks, in a temporary folder
	@$(BIN)/python -m tests.demo

test: $(VENV)/developing chromium ## run every test, style and type checks among them
	@$(BIN)/pytest -n auto --dist worksteal

test-cluster: $(VENV)/clustering chromium ## run the tests that need a cluster (PostgreSQL, Ray on this machine), and of make bench
	@$(BIN)/pytest tests/cluster

test-quick: $(VENV)/developing ## run the quick unit tests: no browser, no campaign, below two minutes
	@$(BIN)/pytest -n auto --dist worksteal --hypothesis-profile quick -m "not model and not browser and not slow" --ignore tests/e2e

nightly: $(VENV)/developing ## kill writers at least 200 times for each kind of ledger (make test does 20)
	@KILLS=200 $(BIN)/pytest -s tests/ledger/storage/test_kills.py

reliability: $(VENV)/developing ## the long form of the reliability tests: floods, kills and attacks
	@RELIABILITY=1 $(BIN)/pytest -s tests/e2e/test_reliability.py tests/e2e/attacks

check: $(VENV)/developing page ## style and types: ruff, mypy; Biome and tsc for the page
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

page: ## check the page's scripts and styles (needs Node.js): format, lint, types, unit tests
	@npx --yes --prefer-offline --package @biomejs/biome@2.6.8 biome check --error-on-warnings viewer/page projections/published/page tests/viewer/page
	@npx --yes --prefer-offline --package typescript@5.9.3 tsc --project tsconfig.json
	@node --test --test-reporter=dot tests/viewer/page/*.test.mjs

bench: $(VENV)/clustering chromium ## measure the program itself; writes bench.json
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(BIN)/python -m tests.perf

catalogue: $(VENV)/installed ## write docs/catalogue.md anew from the manifests
	@$(BIN)/benchmarks adapters catalogue >docs/catalogue.md

reference: $(VENV)/installed ## write docs/cli.md anew from the commands
	@$(BIN)/python -m benchmarks.cli.reference >docs/cli.md

clean: ## remove the environment and caches (never a workspace)
	@rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name it: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/developing: pyproject.toml | $(VENV)/bin/python
	@echo "Installing what tests need into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@# Another implementation of transparency logs, which tests compare with. It asks for 3.12, and runs on 3.11 too.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python 'aics-tlog==0.2.1'
	@touch $@ $(VENV)/installed

$(VENV)/clustering: pyproject.toml | $(VENV)/developing
	@echo "Installing what the tests of clusters need into $(VENV) ..."
	@# By uv: pip finds no versions that fit together, because one of the packages is older than what is there.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev,cluster]'
	@touch $@ $(VENV)/developing $(VENV)/installed

# The viewer's tests drive Debian's chromium.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { \
	  echo "Installing chromium ..."; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
