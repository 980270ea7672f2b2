PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where pip installs for the user by default, it refuses to work in an environment.
PIP := PIP_USER=0 $(BIN)/python -m pip --disable-pip-version-check
DESCRIBED := pyproject.toml constraints.txt
# pip's own last line says that the fault is not its own, and nothing of a network.
NOT_INSTALLED := echo "pip could not install the packages; above it says why. Is the package index reached? The next make tries again." >&2; exit 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# With make -j, two pips would write one environment at a time.
.NOTPARALLEL:
.PHONY: help install run test bench drill check clean

help: ## List what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1  \2/p' $(MAKEFILE_LIST)

install: $(VENV)/run ## Set up .venv with what serving needs

run: install ## Serve on http://127.0.0.1:8000 (ARGS="--port 8001" for more)
	@$(BIN)/milepost serve $(ARGS)

test: $(VENV)/test ## Run all tests (ARGS="-k name" for some)
	@$(BIN)/pytest -n auto --dist worksteal $(ARGS)

bench: $(VENV)/bench ## Measure Milepost against its baselines (ARGS="--short", or names)
	@$(BIN)/python -m bench $(ARGS)

drill: $(VENV)/test ## Play jobs by the thousand against an oracle (ARGS="month", "job SEED" or "absence")
	@$(BIN)/python -m tests.drill $(ARGS)

check: $(VENV)/dev ## Check style, types, the direction of imports, the workflows of CI and the pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/zizmor --offline --persona auditor --strict-collection .github
	rm -rf build/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs/site -d build/doctrees . build/docs

clean: ## Remove .venv and caches; .milepost stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# pip is what an environment gets last, so one without it is half-made: it is made anew.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Milepost needs Python 3.11 or newer; say which: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { $(PYTHON) -c 'import sys; print("%s lacks ensurepip, which makes environments; on Debian and Ubuntu: sudo apt install python%d.%d-venv" % (sys.executable, *sys.version_info[:2]))' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/run: $(DESCRIBED) | $(BIN)/pip
	@echo "Installing what serving needs into $(VENV); this takes about a minute."
	$(PIP) install -c constraints.txt -e . || { $(NOT_INSTALLED); }
	@touch $@

$(VENV)/test $(VENV)/dev $(VENV)/bench: $(VENV)/%: $(DESCRIBED) | $(BIN)/pip
	$(PIP) install -c constraints.txt -e '.[$*]' || { $(NOT_INSTALLED); }
	@touch $@
