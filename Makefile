# make search · make test · make check · make gpu        Everything lives in .venv; nothing else is installed by hand.
PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= dev
BIN     = $(VENV)/bin

.PHONY: search test slow check format gpu chaos fuzz audit clean
.DEFAULT_GOAL := search

# The main job: search the EfficientNetV2 space on this machine and write a Pareto report.
search: $(VENV)/.installed
	$(BIN)/nas search --space efficientnetv2

test: $(VENV)/.developed
	$(BIN)/python -m pytest -m "not slow"

# What make test leaves out: the other faults, the largest networks, what waits for half a minute.
slow: $(VENV)/.developed
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.developed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The zoo (nas measure --zoo), and a 40-trial search, on a GPU. Runs in any environment that can import torch.
gpu:
	$(PYTHON) benchmarks/gpu.py

# Spoilt files, texts and command lines against everything that reads them; prints the tally, and what failed.
fuzz: $(VENV)/.fuzzed
	$(BIN)/python -m tests.fuzz.long --inputs 100000 --seed 0

# The pinned versions against the advisories for them; it needs a registry that knows advisories, and fails without.
audit: $(VENV)/.fuzzed
	$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

# Faults, injected for real: at least 200 in under half an hour; prints the tally, and fails where anything broke.
chaos: $(VENV)/.developed
	$(BIN)/python -m tests.chaos --seed 0

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

$(VENV)/.fuzzed: $(VENV)/.developed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS),fuzz]'
	touch $@
