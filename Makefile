# Everything a person or a CI needs, from a fresh machine with only Python 3.11 or later, make and git.
# Nothing is installed outside this folder, except Chromium for the tests of the page where that is permitted.

VENV ?= .venv
BIN := $(VENV)/bin
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
SOAK_MINUTES ?= 30
FAULT_LINES := $(CURDIR)/build/faults.jsonl
# The first Python on the path that is new enough.
PYTHON ?= $(shell sh packaging/find-python.sh)
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help demo test lint types contracts format long soak bench wheel clean

help:
	@echo "make demo       make an example session and carry it into the built-in catalog"
	@echo "make test       run the tests (under 15 minutes on 2 cores)"
	@echo "make lint       check style and form;   make format   put the form right"
	@echo "make types      check the types"
	@echo "make contracts  check who may import whom"
	@echo "make long       run the full sweeps and write the table of faults, docs/faults.md"
	@echo "make soak       run the engine under faults for SOAK_MINUTES (30)"
	@echo "make bench      run the benchmarks"
	@echo "make wheel      build the wheel into dist/"
	@echo "make clean      remove everything that was built or installed here"

demo: $(RUN_STAMP)
	@$(BIN)/nanoferry demo --dir .demo $(DEMO_FLAGS)

test: $(DEV_STAMP)
	@sh packaging/test-packages.sh
	$(BIN)/pytest -n auto --dist loadgroup -m "not long and not bench" $(PYTEST_FLAGS)

long: $(DEV_STAMP)
	@sh packaging/test-packages.sh
	$(BIN)/pytest -m long --ignore-glob "tests/engine/test_faults_table*" $(PYTEST_FLAGS)
	@mkdir -p build && rm -f $(FAULT_LINES)
	FERRY_FAULT_TABLE=$(FAULT_LINES) $(BIN)/pytest tests/engine/test_faults_table*.py $(PYTEST_FLAGS)
	$(BIN)/python tests/faults/fault_table.py $(FAULT_LINES) docs/faults.md "make long"

soak: $(DEV_STAMP)
	PYTHONPATH=tests/faults:tests/engine $(BIN)/python tests/soak/soak.py --minutes $(SOAK_MINUTES)

bench: $(DEV_STAMP)
	$(BIN)/pytest -m bench -s $(PYTEST_FLAGS)

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV_STAMP)
	$(BIN)/mypy

contracts: $(DEV_STAMP)
	$(BIN)/lint-imports

wheel: $(DEV_STAMP)
	$(BIN)/python -m build --wheel

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Nanoferry needs Python 3.11 or later: install it, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { echo "Python lacks its venv module: run 'apt install python3-venv' (Debian, Ubuntu), then make again" >&2; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
# pip learnt --group in 25.1; the one that comes with Python may be older.
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(RUN_STAMP) $@

clean:
	rm -rf $(VENV) .venv-* build dist .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
