# Everything a newcomer needs; each target sets up what it uses.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
SOURCES := $(wildcard minpack/* minpack/*/* src/leastsq/* src/leastsq/*/*)

# The build looks for meson and ninja there.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test quick python bench wheel docs lint metadata fortran aarch64 sanitize setup clean

# The demo needs the package and matplotlib, so that it need not wait for the rest.
demo: $(VENV)/demo-installed
	$(BIN)/python examples/demo.py examples/demo.png

$(VENV)/demo-installed: pyproject.toml meson.build meson.options $(SOURCES)
	@echo "1/3  compilers and a virtual environment"
	@.ci/system-packages $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "2/3  what the build and the demo need"
	@$(BIN)/python -m pip install --quiet --group build --group demo
	@echo "3/3  compiling, about a minute"
	@$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps .
	@touch $@

test: setup
	$(BIN)/python -m pytest

# What is not marked `slow`: less than a minute.
quick: setup
	$(BIN)/python -m pytest -m "not slow"

# The tests with another Python, in an environment of its own: `make python PYTHON=python3.13t`. Those of optional packages
# skip where one of them has no wheel for it. A free-threaded one keeps its lock off, whatever is imported.
OTHER := build/$(notdir $(PYTHON))

python:
	.ci/system-packages $(PYTHON)
	test -x $(OTHER)/bin/python || $(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/python -m pip install --quiet --upgrade pip
	$(OTHER)/bin/python -m pip install --quiet --prefer-binary --group build --group wheels-test --group release
	$(OTHER)/bin/python -m pip install --quiet --only-binary :all: --group test mypy \
		|| echo "not every package has a wheel: tests of those that are optional skip"
	PATH="$(CURDIR)/$(OTHER)/bin:$$PATH" $(OTHER)/bin/python -m pip install --quiet --no-build-isolation --no-deps .
	unlocked=$$($(OTHER)/bin/python -c 'import sysconfig; print(sysconfig.get_config_var("Py_GIL_DISABLED") or "")'); \
		$${unlocked:+env PYTHON_GIL=0} $(OTHER)/bin/python -m pytest

# What is installed besides are peers to measure against; the programs in Fortran evaluate models alone.
bench: setup
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/meson setup --reconfigure build/fortran -Dpython_module=false
	$(BIN)/meson compile -C build/fortran roofline_baseline roofline_v3 roofline_v4
	$(BIN)/python benchmarks/single_fits.py
	$(BIN)/python benchmarks/curve_fits.py
	$(BIN)/python benchmarks/many_fits.py
	$(BIN)/python benchmarks/native_fits.py
	$(BIN)/python benchmarks/two_workers.py
	$(BIN)/python benchmarks/sums.py
	$(BIN)/python benchmarks/bounded_fits.py
	$(BIN)/python benchmarks/losses.py
	$(BIN)/python benchmarks/large_fit.py
	$(BIN)/python benchmarks/spectral_lines.py
	$(BIN)/python benchmarks/pipelines.py
	$(BIN)/python benchmarks/astropy_cubes.py

docs: setup
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -d build/doctrees docs build/docs
	@echo "open build/docs/index.html"

# The linter reads no templates: names as long as the placeholder keep their columns.
TEMPLATES := $(wildcard minpack/*.f90.in minpack/*/*.f90.in benchmarks/*.f90.in)
TEMPLATES_FILLED := $(patsubst %.f90.in,build/lint/%.f90,$(TEMPLATES))

lint: setup $(TEMPLATES_FILLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python tools/lengths.py
	$(BIN)/fortitude check minpack $(TEMPLATES_FILLED)

build/lint/%.f90: %.f90.in
	@mkdir -p $(@D)
	sed -e 's/@LEVEL@/a_level/g' -e 's/@\(V[34]\)@/a_\1/g' -e 's/@WIDTH@/8/g' $< > $@

# The kernel on its own, optimised and with bounds, NaN and overflow checks.
fortran: setup
	$(BIN)/meson setup --reconfigure build/fortran -Dpython_module=false
	$(BIN)/meson test -C build/fortran --print-errorlogs
	$(BIN)/meson setup --reconfigure build/fortran-debug -Dpython_module=false -Dbuildtype=debug \
		-Dfortran_args="-fcheck=all -finit-real=snan -Wno-maybe-uninitialized"
	$(BIN)/meson test -C build/fortran-debug --print-errorlogs

# Debian's cross compiler and its emulator of a processor, which runs the programs without an image of a system.
aarch64: setup
	command -v aarch64-linux-gnu-gfortran qemu-aarch64 >/dev/null || apt-get install -y -qq --no-install-recommends \
		gfortran-aarch64-linux-gnu gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
	$(BIN)/meson setup --reconfigure --cross-file tools/aarch64.ini build/aarch64 -Dpython_module=false
	$(BIN)/meson test -C build/aarch64 --timeout-multiplier 10 --print-errorlogs

# The module beside the installed one. Python keeps what it allocates until the end, so that leaks are not looked for.
# SciPy reads memory it has freed in one of the rows of differences.
sanitize: setup
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --upgrade --target build/sanitize \
		-Csetup-args=-Db_sanitize=address,undefined -Csetup-args=-Db_lundef=false \
		-Csetup-args=-Dbuildtype=debugoptimized .
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		PYTHONPATH=$(CURDIR)/build/sanitize $(BIN)/python -m pytest -m "not slow" -k "not difference_from_scipy"

# What other programs read: workflows, forms, citation and recipe. Nothing of it is run.
metadata: setup
	$(BIN)/python -m pip install --quiet --group metadata
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/w*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(BIN)/python tools/recipe.py

wheel: setup
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/auditwheel repair --wheel-dir dist/wheelhouse dist/*.whl

setup: $(VENV)/installed

# A compiler for the kernel and headers for the module are the only things that do not come from PyPI.
$(VENV)/installed: pyproject.toml meson.build meson.options $(SOURCES)
	.ci/system-packages $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps .
	touch $@

clean:
	rm -rf build dist $(VENV)
