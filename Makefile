# Everything runs in a virtual environment of the project's own; nothing needs root.
#
#   make demo    set-up, then the main job: bundled devices against a bundled kernel
#   make test    set-up, then the tests
#   make lint    set-up, then ruff, mypy --strict and clang-format
#   make bench   set-up, then pyalias beside libkmod; wants libkmod
#
# Wanted: Python 3.11 or newer with pip, gcc, make, and a network for pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard csrc/*.c csrc/*.h csrc/*.py) setup.py pyproject.toml

# A kernel of tests/data, and the device lists there (xz files one after the other are one xz file).
DEMO := build/demo
KERNEL := 6.12.117-amd64
DEVICES := $(wildcard tests/data/devices/*_modaliases.txt.xz)

.PHONY: demo venv-by-pip test lint fuzz-bin package-check kmod-soak partial-soak qemu-test engines-test arm-test bench
.PHONY: bench-check clean

# A stamp for each set of extras: what is installed is renewed when what it was built from has changed.
$(VENV)/%.stamp: $(SOURCES)
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || $(MAKE) --no-print-directory venv-by-pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(if $(filter run,$*),,[$*])'
	touch $@

# Debian's Python has no ensurepip unless python3-venv is installed: the pip that is there does as well.
venv-by-pip:
	$(PYTHON) -m venv --clear --without-pip $(VENV)
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check pip

# -W ignore: unpacking the project's own archive needs no advice on filters.
$(DEMO)/$(KERNEL): tests/data/kernels/$(KERNEL).tar.xz
	$(PYTHON) -W ignore -m tarfile -e $< $@
	touch $@

demo: $(VENV)/run.stamp $(DEMO)/$(KERNEL)
	cat $(DEVICES) > $(DEMO)/devices.txt.xz
	$(BIN)/pyalias scan $(DEMO)/devices.txt.xz --modules $(DEMO)/$(KERNEL) --output $(DEMO)/answers.csv
	@echo 'Each device and its modules: $(DEMO)/answers.csv'

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(wildcard csrc/*.[ch] csrc/python/*.c benchmarks/*.c tests/c/*.c tests/fuzz/*.c)

# A million damaged modules.*.bin, read under the address and undefined-behaviour sanitizers.
fuzz-bin: $(VENV)/test.stamp
	$(BIN)/python tests/fuzz/fuzz_bin.py $(FUZZ_ARGS)

# 20,000 random (directory, modprobe.d, command line, name) cases, on pyalias and on the real libkmod.
kmod-soak: $(VENV)/test.stamp
	PYALIAS_REQUIRE_LIBKMOD=1 PYALIAS_SOAK_CONTEXTS=2000 $(BIN)/python -m pytest tests/test_kmod_contexts.py -k random

# 100,000 random partial devices beside asking for every device that they may be: docs/partial.md.
partial-soak: $(VENV)/test.stamp
	PYTHONPATH=tests $(BIN)/python tests/partial_soak.py $(SOAK_ARGS)

# A real Debian kernel package against depmod and modinfo; downloads it once.
package-check: $(VENV)/test.stamp
	$(BIN)/python tests/package_check.py

# The engines that are slow to start: Spark in a JVM of its own.
engines-test: $(VENV)/test.stamp $(VENV)/spark.stamp
	$(BIN)/python -m pytest -m spark tests/test_engine_spark.py

# pyalias on a Debian kernel in QEMU: docs/vfio-qemu.md.
qemu-test: $(VENV)/run.stamp
	$(BIN)/python tests/qemu/run.py $(QEMU_ARGS)

# The NEON variant on an ARM that QEMU plays; wants gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user.
arm-test: $(VENV)/test.stamp
	PYTHONPATH=tests $(BIN)/python tests/arm_test.py

bench: $(VENV)/bench.stamp
	$(BIN)/python benchmarks/report.py

# Instructions a row of every variant against its budget.
bench-check: $(VENV)/bench.stamp
	$(BIN)/python benchmarks/pci_limit.py --check

clean:
	rm -rf $(VENV) build dist *.egg-info pyalias/_native*.so
