# `make help` says what each command does. They need Python 3.11 to 3.13 with venv, and make; nothing else.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
SOURCES := course_utils data_scripts tests book/_ext
# a deprecated call made by a notebook's own cell is an error
CELL_WARNINGS := PYTHONWARNINGS="error::DeprecationWarning:__main__,error::FutureWarning:__main__"
BUILD := jupyter-book build . -W -n --keep-going

.DEFAULT_GOAL := help
.PHONY: help setup data book slides solved lab test lint unit notebooks site links costs benchmarks lock clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# make PYTHON=... asks for another Python than that of an environment made before: make it anew
ifeq ($(origin PYTHON),command line)
ifneq ($(shell $(PYTHON) -c "import sys; print(sys.version)" 2>/dev/null),$(shell $(BIN)/python -c "import sys; print(sys.version)" 2>/dev/null))
.PHONY: $(READY)
endif
endif

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11, 3.12 or 3.13, or name one with make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" || { echo "$(PYTHON) is $$($(PYTHON) --version): the course needs Python 3.11, 3.12 or 3.13; install one and name it with make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { echo "$(PYTHON) lacks its venv module: install it (on Debian and Ubuntu: sudo apt install python3-venv)."; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version)"
	@rm -f $@
	@$(PYTHON) -m venv --clear .venv
	@awk '/^[a-z]/ {keep = /^uv==/} keep && !/^ *#/' requirements.lock > .venv/installer.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/installer.txt
	@$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --offline --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

setup: $(READY)  ## make .venv with every package the course needs

data: $(READY)  ## simulate the study into data/simulated, if it is not there whole
	@$(BIN)/python -m data_scripts simulate

book: data  ## run every notebook and build the site
	@$(RUN) $(BUILD)
	@echo "The book is built. Open _build/html/index.html in a browser."

slides: book  ## make slides of every episode, in _build/slides
	@$(RUN) python book/_ext/make_slides.py

solved: data  ## for instructors: every notebook with its exercises answered, in _build/solved
	@$(RUN) python tests/solved.py

lab: data  ## open JupyterLab on the episodes
	@$(RUN) jupyter lab --notebook-dir=book

test: $(READY)  ## everything: lint, unit tests, exercises, notebooks, the site from clean
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory data
	@$(MAKE) --no-print-directory notebooks
	@$(MAKE) --no-print-directory site
	@echo "make test: everything passed."

lint: $(READY)  ## style, spelling, docstrings, imports between modules, outputs in notebooks
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) codespell
	@$(RUN) numpydoc lint course_utils/*.py course_utils/exercises/_*.py data_scripts/*.py
	@$(RUN) lint-imports
	@$(RUN) nbstripout --verify --keep-id book/*.ipynb

unit: $(READY)  ## unit tests and the exercise contract, on a small study
	@$(RUN) pytest -n 2 --dist loadfile -m "not notebooks and not site" tests

notebooks: data  ## run every notebook, exercises unanswered and answered
	@$(RUN) $(CELL_WARNINGS) pytest -p no:cacheprovider --nbval-lax --nbval-cell-timeout=300 -n 2 --dist loadfile book
	@$(RUN) $(CELL_WARNINGS) pytest -n 2 --dist load -m notebooks tests

site: data  ## build the site from nothing and look at every page in a browser
	@rm -rf _build/clean
	@$(RUN) $(CELL_WARNINGS) $(BUILD) --path-output _build/clean
	@$(RUN) COURSE_SITE=_build/clean/_build/html pytest -n 2 -m site tests

links: data  ## ask every address that the pages link to whether it still exists (needs the network)
	@$(RUN) jupyter-book build . --builder linkcheck

costs: data  ## measure seconds and memory of every notebook and write them into its first box
	@$(RUN) python tests/benchmarks/notebook_costs.py --write

benchmarks: $(READY)  ## measure what the specification promises about speed and size
	@$(RUN) pytest -s tests/benchmarks -m benchmark

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --system-certs --universal --upgrade --generate-hashes --no-emit-index-url \
	  --no-header --python-version 3.11 --all-extras pyproject.toml --output-file requirements.lock

clean:  ## remove the built site and the environment; the data stay
	@rm -rf _build .venv *.egg-info .pytest_cache .ruff_cache .import_linter_cache
