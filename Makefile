# make demo   sets up and trains on the embedded data set
# make test   sets up and runs every check
# Nothing has to be installed before, except Python 3.11 or newer.

SHELL := /bin/bash
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
WEB := .venv/onnxruntime-web

.PHONY: setup demo test types suite clean

setup: $(INSTALLED)

demo: setup
	$(PYTHON) run.py experiment=demo

test: setup $(WEB)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	@$(MAKE) --no-print-directory --jobs=2 types suite

types:
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo

# More processes than cores, since some tests wait for others that they have started. Where one of them crashes, the rest
# ends: xdist 3.8 would not (pytest-xdist issue 1378).
suite:
	PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest -n 3 --max-worker-restart=0 --dist loadfile --no-loadscope-reorder

# Asks each Python for its version instead of trusting its name: a version manager's stand-in may be there without a
# Python behind it.
$(INSTALLED): pyproject.toml constraints.txt
	@if ! [ -x $(PYTHON) ]; then \
	  for candidate in python3.13 python3.12 python3.11 python3 python; do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	        >/dev/null 2>&1; then \
	      echo "Setting up .venv with $$("$$candidate" --version)"; \
	      "$$candidate" -m venv .venv && break || exit 1; \
	    fi; \
	  done; \
	fi
	@[ -x $(PYTHON) ] || { \
	  echo "error: no Python 3.11, 3.12 or 3.13 with venv was found; install one (Debian: python3-venv) and try again" >&2; \
	  exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# By npm, for the test of docs/browser, which says so and is skipped without it.
$(WEB): | $(INSTALLED)
	@part=$$(mktemp -d) && trap 'rm -rf "$$part"' EXIT && cd "$$part" && mkdir web && npm pack --silent --fetch-retries=0 --fetch-timeout=30000 onnxruntime-web@1.30.0 >/dev/null 2>&1 && \
	  tar -xzf onnxruntime-web-1.30.0.tgz --strip-components=2 -C web \
	    package/dist/ort.wasm.bundle.min.mjs package/dist/ort-wasm-simd-threaded.wasm && \
	  mv web "$(CURDIR)/$@" || echo "no onnxruntime-web by npm: the page of docs/browser is not tested"

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
