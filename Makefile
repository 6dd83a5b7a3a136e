# `make demo` and `make test` need Python 3.11, pip and make, and set up the rest in .venv, from the
# versions and hashes of requirements/.

PYTHON ?= python3.11
# Which versions are installed: locked (requirements/), newest or lowest (those pyproject.toml allows).
VERSIONS := locked
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV := 0.13.9
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test test-newest test-lowest lint types contracts unit docs lock clean

help:
	@echo "make demo         install into .venv and bracket one bundled image"
	@echo "make test         lint, types, import contracts and tests"
	@echo "make test-newest  the same with the newest versions of everything, in .venv-newest"
	@echo "make test-lowest  the tests with the lowest versions that are allowed, in .venv-lowest"
	@echo "make docs         the documentation as a site, in build/site"
	@echo "make lock         renew requirements/, from which demo and test install"
	@echo "make clean        remove what the others made"

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "marapatch needs Python 3.11 (maraboupy 2.0.0 has no wheels for another): '$(PYTHON)'" \
	       "is missing or is another version. Install it, or say: make PYTHON=/path/to/python3.11"; \
	  exit 1; }
	@$(PYTHON) -c 'import platform, sys; sys.exit(platform.machine() != "x86_64")' || { \
	  echo "marapatch needs an x86_64 Python (maraboupy 2.0.0 has no wheels for other processors):" \
	       "'$(PYTHON)' is not one"; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# What is named here is installed by the recipes below: for demo without, for test with the tools.
install-locked = $(PIP) install --require-hashes -r requirements/$(1).txt \
  && $(PIP) install --no-deps --no-build-isolation -e .
install-newest = $(PIP) install --upgrade --upgrade-strategy eager -e '.[test]'
install-lowest = $(BIN)/python requirements/lowest.py > $(VENV)/lowest.txt \
  && $(PIP) install -c $(VENV)/lowest.txt -e '.[test]'

$(VENV)/install.stamp: $(VENV)/python.stamp pyproject.toml requirements/run.txt
	@echo "installing marapatch into $(VENV) (once; about a minute)"
	@$(call install-$(VERSIONS),run)
	@touch $@

$(VENV)/test.stamp: $(VENV)/install.stamp requirements/test.txt
	@$(call install-$(VERSIONS),test)
	@$(PIP) check
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
	$(BIN)/pytest $(PYTEST_FLAGS)

# Both start from nothing, so that what is newest today is tested, not what was when .venv-* was made.
test-newest:
	rm -rf .venv-newest
	$(MAKE) test VERSIONS=newest VENV=.venv-newest

# Lint and types are left out: today's annotations are written for today's stubs of numpy and
# matplotlib. Old releases use what newer releases of their own dependencies call deprecated.
test-lowest:
	rm -rf .venv-lowest
	$(MAKE) contracts unit VERSIONS=lowest VENV=.venv-lowest \
	  PYTEST_FLAGS="-W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning"

docs: $(VENV)/test.stamp
	@$(PIP) install -e '.[docs]'
	$(BIN)/python docs/generate_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "written: build/site/index.html"

# The setuptools that builds marapatch is locked with the rest (--no-build-isolation above).
.venv-lock/$(UV).stamp:
	rm -rf .venv-lock
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --quiet --disable-pip-version-check install uv==$(UV)
	@touch $@

COMPILE = .venv-lock/bin/uv pip compile pyproject.toml requirements/build.in --quiet --upgrade \
  --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

lock: .venv-lock/$(UV).stamp
	$(COMPILE) --extra test --output-file requirements/test.txt
	$(COMPILE) --constraint requirements/test.txt --output-file requirements/run.txt

clean:
	rm -rf .venv .venv-newest .venv-lowest .venv-lock demo build *.egg-info \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
