# make search · make test · make check · make gpu        Everything lives in .venv; nothing else is installed by hand.
PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= dev
BIN     = $(VENV)/bin

.PHONY: search test check format gpu clean
.DEFAULT_GOAL := search

# The main job: search the EfficientNetV2 space on this machine and write a Pareto report.
search: $(VENV)/.installed
	$(BIN)/nas search --space efficientnetv2

test: $(VENV)/.developed
	$(BIN)/python -m pytest

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

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@
