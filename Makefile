# One command from a bare machine: Python 3.11 or newer and make are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := uv==0.13.9
COMPILE := $(BIN)/uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header --universal \
	--python-version 3.11 --quiet

PEER := $(BIN)/uv pip compile --group pyproject.toml:peer --generate-hashes --no-emit-index-url --no-header --universal \
	--python-version 3.11 --quiet

# Modules are kept compiled, whatever the shell says: the service starts in a third of the time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test bench scale attack check fix migrate openapi demo sbom lock

help: ## Show what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name said; do \
		printf '%-14s %s\n' "$$name" "$$said"; done

run: $(VENV)/.runtime ## Start the service, PostgreSQL included, with its data and first clients
	@exec $(BIN)/python -m app.cli serve

test: $(VENV)/.dev ## Run every test against a throwaway PostgreSQL
	$(BIN)/python -m pytest -n 2

attack: $(VENV)/.dev ## Attack it as often as it takes: forged tokens, hostile input, thousands of fuzzed requests
	SIMPUL_FULL=1 $(BIN)/python -m pytest -n 2 -m attack

bench: $(VENV)/.dev $(if $(ONE),,$(VENV)/.peer) ## Compare with a bare server, one by hand and Kinto (SHORT=1: two minutes; ONE=searching: one older benchmark)
	$(if $(SHORT),SIMPUL_BENCH=short )PYTHONPATH=tests:. $(BIN)/python -m benchmarks.$(or $(ONE),contest.run)

scale: $(VENV)/.dev ## Past one machine, on this one: a primary, two that follow it, several processes; kill the primary
	PYTHONPATH=tests:. $(BIN)/python tests/benchmarks/scaling.py

check: $(VENV)/.dev ## Lint, types, layers, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/alembic upgrade head --sql > $(VENV)/migrations.sql
	$(BIN)/squawk $(VENV)/migrations.sql

fix: $(VENV)/.dev ## Format, and mend what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

migrate: $(VENV)/.runtime ## Bring the schema to its newest revision
	$(BIN)/python -m app.cli migrate

openapi: $(VENV)/.dev ## Capture real answers, write openapi/openapi.json and the README's generated parts
	SIMPUL_CAPTURE=1 $(BIN)/python -m pytest tests/contract/test_examples.py
	$(BIN)/python -m app.cli openapi
	$(BIN)/python -m app.cli readme

demo: $(VENV)/.runtime ## Tell a story over HTTP against the running service
	$(BIN)/python -m app.cli demo

sbom: $(VENV)/.dev ## Write var/sbom.json: what the service is made of, by the lock (CycloneDX)
	@mkdir -p var
	$(BIN)/python -m cyclonedx_py requirements --pyproject pyproject.toml --short-PURLs --output-reproducible \
		-o var/sbom.json requirements.lock

lock: $(VENV)/.dev ## Renew both lock files to the newest versions
	$(COMPILE) --upgrade --extra dev -o requirements-dev.lock
	$(COMPILE) --upgrade --constraint requirements-dev.lock -o requirements.lock
	$(PEER) --upgrade -o requirements-peer.lock

# What is installed: the development lock holds all of the runtime one, so whoever has the first needs not the second.
# A stamp is written only after success; it is out of date when its lock is newer.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Simpul needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "If another one is installed, name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "This Python can't make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV) || \
		echo "uv can't be had; installing with pip, which takes a little longer." >&2
	@touch $@

$(VENV)/.runtime: requirements.lock | $(VENV)/.made
	@if [ -e $(VENV)/.dev ] && [ ! requirements-dev.lock -nt $(VENV)/.dev ] && [ ! $< -nt $(VENV)/.dev ]; then \
		touch $@; else rm -f $(VENV)/.dev && $(call install,$<) && touch $@; fi

$(VENV)/.dev: requirements-dev.lock requirements.lock | $(VENV)/.made
	@$(call install,$<) && touch $(VENV)/.runtime $@

# The peer of the benchmarks has pins of its own, so it lives beside ours.
$(VENV)/.peer: requirements-peer.lock | $(VENV)/.made
	@echo "Installing $< ..." && $(PYTHON) -m venv --clear $(VENV)/peer && if [ -x $(BIN)/uv ]; \
		then VIRTUAL_ENV=$(VENV)/peer $(BIN)/uv pip sync --quiet --require-hashes $<; \
		else $(VENV)/peer/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; fi && touch $@

define install
echo "Installing $(1) ..." && if [ -x $(BIN)/uv ]; \
	then VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes $(1); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); fi
endef
