# The two commands a stranger runs are `make demo` and `make test`; both set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# threads of the photon engine; venv, which Debian takes out of Python
APT_PACKAGES := libgomp1 python3-venv

.PHONY: venv system demo test lint docs bench clean

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("omnidose needs Python 3.11 or newer, this is %d.%d: call make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,docs]'
	@touch $(STAMP)

system:  ## Debian packages that the full tests use
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(APT_PACKAGES)

demo: venv  ## write a demo exam, estimate it, name the report
	$(BIN)/omnidose demo --out demo

lint: venv  ## Python files only: ruff would also rewrite code blocks in Markdown (see pyproject.toml)
	$(BIN)/ruff check src tests data-sources benchmarks docs
	$(BIN)/ruff format --check src tests data-sources benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: lint  ## everything CI checks
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/omnidose validate
	@git ls-files --others --exclude-standard src tests docs data-sources benchmarks 2>/dev/null | sed 's/^/not in git, others will miss it: /'

docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: venv
	$(BIN)/python benchmarks/run.py --job

clean:
	rm -rf $(VENV) demo site build dist
