# make demo   the main job on the embedded data set: train, prune, quantize; writes ./demo
# make test   lint, types, import rules, then the test suite
# make mutation   how many planted errors the tests see: hours, resumes where it stopped, results by `mutmut results`
# make peers   an environment of its own with the libraries that benchmarks/speed races parsimo against
# make bench   the races of docs/benchmarks.md; BENCH='--case lasso --seed 1' chooses; goes on where it was stopped
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PEERS  ?= .venv-peers
# Small networks run fastest with one thread a process.
export OMP_NUM_THREADS := 1

.PHONY: demo test lint types imports pytest mutation peers bench clean

demo: $(VENV)/.ready
	$(BIN)/parsimo demo --out demo

test: lint types imports pytest

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

imports: $(VENV)/.ready
	$(BIN)/lint-imports --no-cache

pytest: $(VENV)/.ready
	$(BIN)/pytest -n 2

mutation: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "mutmut==3.8.1"
	$(BIN)/mutmut run --max-children 2

peers: $(PEERS)/.ready

bench: $(PEERS)/.ready
	$(PEERS)/bin/python -m benchmarks.speed --out docs/results $(BENCH)

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

$(PEERS)/.ready: benchmarks/speed/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/speed/requirements.txt -e ".[fast]"
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) demo mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
