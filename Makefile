# Everything runs in a virtual environment of the project's own; nothing needs root.
#
#   make demo    set-up, then the main job: bundled devices against a bundled kernel
#   make test    set-up, then the tests
#   make lint    set-up, then ruff, mypy --strict and clang-format

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard csrc/*.c csrc/*.h csrc/*.py) setup.py pyproject.toml

.PHONY: demo test lint fuzz-bin bench clean

# A stamp for each set of extras: what is installed is renewed when what it was built from has changed.
$(VENV)/%.stamp: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(if $(filter run,$*),,[$*])'
	touch $@

demo: $(VENV)/run.stamp
	$(BIN)/python tests/demo.py

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(wildcard csrc/*.[ch] benchmarks/*.c tests/fuzz/*.c)

# A million damaged modules.*.bin, read under the address and undefined-behaviour sanitizers.
fuzz-bin: $(VENV)/test.stamp
	$(BIN)/python tests/fuzz/fuzz_bin.py $(FUZZ_ARGS)

bench: $(VENV)/bench.stamp
	$(BIN)/python benchmarks/report.py

clean:
	rm -rf $(VENV) build dist *.egg-info pyalias/_native*.so
