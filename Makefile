# `make quickstart` and `make test` need python3, pip and make, nothing else.
#
#   PYTHON=python3.13     the interpreter to build on
#   VENV=/tmp/venv        where the environment goes
#   PYTEST_ARGS='-k lanes'    what pytest is told beside; as it is: one process for each core, one thread in each
#   TORCH_INDEX=URL       where torch comes from; empty: wherever pip looks by itself (see README, "Install")

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?= auto
PYTEST_ARGS ?= -n auto

export TORCH_INDEX
export OMP_NUM_THREADS ?= 1
bin := $(VENV)/bin
inputs := pyproject.toml constraints.txt .ci/environment
sources := src tests $(wildcard bench)

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow test-all check format lint types imports bench schema clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## */  make \1\t/p' Makefile

quickstart: $(VENV)/.runexp-installed  ## make the environment and run specs/quickstart.yaml
	$(bin)/runexp run specs/quickstart.yaml

test: $(VENV)/.runexp-dev-installed  ## make the environment and run the tests, without the slow ones
	$(bin)/python -m pytest -m "not slow" $(PYTEST_ARGS)

# pytest ends with 5 when it finds no test to run.
test-slow: $(VENV)/.runexp-dev-installed  ## the slow tests alone
	$(bin)/python -m pytest -m slow $(PYTEST_ARGS) || test $$? -eq 5

test-all: $(VENV)/.runexp-dev-installed  ## every test
	$(bin)/python -m pytest $(PYTEST_ARGS)

check: lint types imports test  ## every gate: format, lint, types, layers, tests

format: $(VENV)/.runexp-dev-installed  ## format the code and mend what ruff can mend
	$(bin)/ruff format $(sources)
	$(bin)/ruff check --fix $(sources)

lint: $(VENV)/.runexp-dev-installed  ## ruff: format and rules
	$(bin)/ruff format --check $(sources)
	$(bin)/ruff check $(sources)

types: $(VENV)/.runexp-dev-installed  ## mypy --strict on src
	$(bin)/mypy

imports: $(VENV)/.runexp-dev-installed  ## the walls between the rooms
	PYTHONPATH=src $(bin)/lint-imports

bench: $(VENV)/.runexp-installed  ## our loop against hand-written ones, and start-up times
	$(bin)/python -m bench

schema: $(VENV)/.runexp-installed  ## write schemas/runexp.schema.json anew
	$(bin)/runexp schema

clean:  ## remove the environment and what tools leave behind
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runexp-installed: $(inputs)
	.ci/environment $(PYTHON) $(VENV) .
	touch $@

$(VENV)/.runexp-dev-installed: $(inputs)
	.ci/environment $(PYTHON) $(VENV) '.[dev]'
	touch $(VENV)/.runexp-installed $@
