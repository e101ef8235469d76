# `make` alone lists the targets. Everything is installed into .venv; nothing else on the machine is touched.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo test test-long test-services bench lint docs clean
.DEFAULT_GOAL := help

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.base ## build a lakehouse from dirty sample data in a scratch folder and show it
	@scripts/demo $(CURDIR)/$(BIN)/millpond

test: .venv/.test ## run the tests, in parallel
	@$(BIN)/python -m pytest -m "not long and not services"

test-long: .venv/.test ## run the tests of many rounds: kills, differential, properties
	@$(BIN)/python -m pytest -m long --timeout 3600

test-services: .venv/.services ## run the tests with real servers of other makers: Spark, Sail, Trino
	@$(BIN)/python -m pytest -m services -n 0

bench: .venv/.bench ## measure against raw DuckDB, DuckLake, deltalake; prints one ratio for each goal
	@for file in help valleybike one_file append large_csv small_commits tpch merge merges many_tables upsert scd2 aggregate join long_history geofence checks; do $(BIN)/python bench/$$file.py || exit 1; done

lint: .venv/.lint ## check style, form and types
	@$(BIN)/ruff check && $(BIN)/ruff format --check --quiet && $(BIN)/mypy

docs: .venv/.base ## write the pages that are generated from the code
	@$(BIN)/python scripts/write_docs.py

clean: ## remove the environment and everything that was built
	@rm -rf .venv .pytest_cache .hypothesis .mypy_cache .ruff_cache dist build

.venv/bin/python:
	@PYTHON="$(PYTHON)" scripts/find-python -m venv .venv
	@$(PIP) install --upgrade 'pip>=25.1'

.venv/.base: pyproject.toml | .venv/bin/python
	@echo "installing into .venv"
	@$(PIP) install --editable .
	@touch $@

.venv/.test: .venv/.base
	@echo "installing what tests need"
	@$(PIP) install --group test
	@touch $@

.venv/.services: .venv/.test
	@echo "installing the servers of other makers"
	@$(PIP) install --group services
	@scripts/install_trino .venv/trino
	@touch $@

.venv/.bench: .venv/.test
	@echo "installing what is measured against"
	@$(PIP) install --group bench
	@touch $@

.venv/.lint: .venv/.base
	@echo "installing what checks need"
	@$(PIP) install --group lint
	@touch $@
