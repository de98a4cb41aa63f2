# Every target sets up what it needs in .venv: Python ≥ 3.11, make and a package registry suffice.
PYTHON  ?= python3
VENV    ?= .venv
PROFILE ?= demo
BIN     := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo ui bench test check format lint types floors unit browser lock clean

help: ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## the whole pipeline once, on simulated exchanges, into data/demo
	$(BIN)/atelier demo

ui: $(VENV)/.run ## the Dagster UI: PROFILE=demo (simulated exchanges) or PROFILE=live
	$(BIN)/atelier ui --profile $(PROFILE)

bench: $(VENV)/.run ## what every stage costs, beside its peers, into docs/performance.md: QUICK=1 only shows
	$(BIN)/python -m atelier_pipeline_tests.benchmarks $(if $(QUICK),--quick)

test: check ## every check and every test

check: lint types floors unit browser ## format, lint, types, floors, tests: what CI runs

format: $(VENV)/.dev ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/basedpyright

floors: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist worksteal -m "not browser" --cov --cov-report=term

browser: $(VENV)/.dev ## a morning with the UI in a real Chromium; nine minutes, skipped without one
	$(BIN)/pytest -m browser

lock: $(VENV)/.dev ## write the pinned requirements anew from pyproject.toml
	$(BIN)/python .ci/lock.py

clean: ## remove the environment and caches, never data/
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov

$(VENV)/.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.venv requirements.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
