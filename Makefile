# Everything a newcomer needs; each target sets up what it uses.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

# The build looks for meson and ninja there.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test quick bench wheel docs lint fortran setup clean

demo: setup
	$(BIN)/python examples/demo.py examples/demo.png

test: setup
	$(BIN)/python -m pytest

# What is not marked `slow`: under a minute.
quick: setup
	$(BIN)/python -m pytest -m "not slow"

# What is installed besides are peers to measure against; the programs in Fortran evaluate models alone.
bench: setup
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/meson setup --reconfigure build/fortran -Dpython_module=false
	$(BIN)/meson compile -C build/fortran roofline_baseline roofline_v3 roofline_v4
	$(BIN)/python benchmarks/single_fits.py
	$(BIN)/python benchmarks/curve_fits.py
	$(BIN)/python benchmarks/many_fits.py
	$(BIN)/python benchmarks/native_fits.py
	$(BIN)/python benchmarks/pipelines.py

docs: setup
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -d build/doctrees docs build/docs
	@echo "open build/docs/index.html"

# The linter reads no templates: names as long as the placeholder keep their columns.
TEMPLATES := $(wildcard minpack/*/*.f90.in benchmarks/*.f90.in)
TEMPLATES_FILLED := $(patsubst %.f90.in,build/lint/%.f90,$(TEMPLATES))

lint: setup $(TEMPLATES_FILLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python tools/lengths.py
	$(BIN)/fortitude check minpack $(TEMPLATES_FILLED)

build/lint/%.f90: %.f90.in
	@mkdir -p $(@D)
	sed -e 's/@LEVEL@/a_level/g' -e 's/@WIDTH@/8/g' $< > $@

# The kernel on its own, optimised and with bounds, NaN and overflow checks.
fortran: setup
	$(BIN)/meson setup --reconfigure build/fortran -Dpython_module=false
	$(BIN)/meson test -C build/fortran --print-errorlogs
	$(BIN)/meson setup --reconfigure build/fortran-debug -Dpython_module=false -Dbuildtype=debug \
		-Dfortran_args="-fcheck=all -finit-real=snan -Wno-maybe-uninitialized"
	$(BIN)/meson test -C build/fortran-debug --print-errorlogs

wheel: setup
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/auditwheel repair --wheel-dir dist/wheelhouse dist/*.whl

setup: $(VENV)/installed

# A compiler for the kernel and headers for the module are the only things that do not come from PyPI.
$(VENV)/installed: pyproject.toml meson.build meson.options $(wildcard minpack/* minpack/lanes/* src/leastsq/*)
	.ci/system-packages $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps .
	touch $@

clean:
	rm -rf build dist $(VENV)
