# `make demo` and `make test` work in a fresh checkout: they make .venv where it is missing, and start again in
# seconds when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TF_VENV := .venv-tf
WORKERS ?= auto

.PHONY: demo test test-slow lint tf-env clean

demo: $(STAMP)
	$(BIN)/remedis demo --out demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-slow: $(STAMP)
	REMEDIS_TF_PYTHON=$${REMEDIS_TF_PYTHON:-$$(test -x $(TF_VENV)/bin/python && echo $(CURDIR)/$(TF_VENV)/bin/python)} \
		$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# TensorFlow lives in an environment of its own: it is a second witness, never a requirement.
tf-env: $(TF_VENV)/.installed

$(TF_VENV)/.installed:
	$(PYTHON) -m venv $(TF_VENV)
	$(TF_VENV)/bin/python -m pip install --quiet -c constraints-tf.txt tensorflow tensorflow-hub tf-keras setuptools
	touch $@

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) $(TF_VENV) demo build dist
