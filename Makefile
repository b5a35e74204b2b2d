# Two commands need nothing but Python >= 3.11, git and make: `make up` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest
WORKERS ?= 2
# A unit test that takes 2 s hangs (pyproject.toml); beside browsers and load even a quick one may wait its turn.
PATIENT := --timeout 30

BROWSER := $(shell find src/roadbed/interfaces/web/browser -type f -not -path '*/node_modules/*')

.PHONY: install up unit test check bench oracle oracle-build format lint types imports lock

install: $(VENV)/.installed

# --no-build-isolation: the build requirements are in the lock too, so nothing unpinned is fetched.
$(VENV)/.installed: requirements.lock pyproject.toml hatch_build.py $(BROWSER)
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

up: install
	@$(BIN)/roadbed up $(ARGS)

unit: install
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not acceptance and not slow"

test: install
	$(PYTEST) -n $(WORKERS) --dist loadfile $(PATIENT) -m "not slow"

check: install format lint types imports
	$(PYTEST) -n $(WORKERS) --dist loadfile $(PATIENT)

format: install
	$(BIN)/ruff format --check

lint: install
	$(BIN)/ruff check

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m benches $(ARGS)

# Builds the real kube-apiserver and etcd (Go; minutes, the first time) and asks it the corpus of tests/contract again.
# Beside what is recorded, both servers can be asked at random: python -m tests.oracle.differential --help
oracle: oracle-build
	$(BIN)/python -m tests.contract.recorder $(ARGS)
	$(BIN)/python -m tests.oracle.samples
	$(BIN)/python -m tests.oracle.definitions
	$(BIN)/python -m tests.oracle.expressions
	$(BIN)/python -m tests.oracle.metrics
	$(BIN)/python -m tests.acceptance.kubectl.record

oracle-build: install
	$(BIN)/python -m tests.oracle.peer build
	$(BIN)/python -m tests.acceptance.kubectl.record build

# Every platform's pins in one file, with hashes and without the name of any registry's host.
lock:
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet \
		--all-extras --group dev pyproject.toml --output-file requirements.lock
