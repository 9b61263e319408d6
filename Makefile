# Everything runs in its own virtual environment, made from the pinned list. `make demo` and `make test` do all the set-up.
PYTHON ?= python3
# Another Python gets an environment of its own beside the usual one: make test PYTHON=python3.13
VENV := $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test bench servers check format docs lock clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("reconciler needs Python 3.11 or newer; try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages into $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## the whole story on an embedded S3 server, told step by step
	@$(BIN)/python -m reconciler.demo

test: $(READY)  ## every test: unit, contract, integration, end to end
	@$(BIN)/python -m pytest -n 2

bench: $(READY)  ## measure speed, memory and S3 requests; writes build/bench.json (about 8 minutes)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks

servers: $(READY)  ## try anew which S3 server keeps which promise (needs Ceph), for the README's table
	@$(BIN)/python -m pytest -n 2 tests/contract/test_doctor.py tests/contract/test_objects.py tests/e2e/test_lifecycle.py \
		--record-servers docs/servers.json
	@$(BIN)/cog -r -I docs README.md

check: $(READY)  ## lint, format, types, import contracts, generated docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/cog --check --diff -I docs README.md

format: $(READY)  ## format the code and mend what lint can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

docs: $(READY)  ## write the generated parts of the README anew
	@$(BIN)/cog -r -I docs README.md

lock:  ## pin the dependencies anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --generate-hashes \
		--no-emit-index-url --no-emit-package reconciler --all-extras --upgrade pyproject.toml -o requirements.lock

clean:  ## remove the virtual environment and everything built
	@rm -rf .venv .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
