# `make demo` and `make test` need Python 3.11, pip and make, and set up the rest in .venv.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test lint types contracts unit clean

help:
	@echo "make demo   install into .venv and bracket one bundled image"
	@echo "make test   lint, types, import contracts and tests"
	@echo "make clean  remove what the others made"

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "marapatch needs Python 3.11 (maraboupy 2.0.0 has no wheels for another): '$(PYTHON)'" \
	       "is missing or is another version. Install it, or say: make PYTHON=/path/to/python3.11"; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/install.stamp: $(VENV)/python.stamp pyproject.toml
	@echo "installing marapatch into $(VENV) (once; about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/install.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

demo: $(VENV)/install.stamp
	@mkdir -p demo
	$(BIN)/marapatch groundtruth example:mnist_3x24 example:seven --tolerance 1e-3 \
	  --out demo/witness.npy --plot demo/witness.png --json demo/result.json
	@echo "written: demo/witness.npy, demo/witness.png (original, witness, difference), demo/result.json"

test: lint types contracts unit

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp
	$(BIN)/mypy

contracts: $(VENV)/test.stamp
	$(BIN)/lint-imports

unit: $(VENV)/test.stamp
	$(BIN)/pytest

clean:
	rm -rf $(VENV) demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
