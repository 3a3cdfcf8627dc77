# Every target makes what it needs in .venv; nothing but Python (3.11 or newer) and make is asked for.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PINNED := constraints/airflow-3.3.txt
PIP := $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check

.PHONY: help demo test test-fast coverage check bench chaos airflow map matrix clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## run both hand-overs against the sandbox and show what happened
	$(BIN)/python -m demo

test: $(READY)  ## run the tests in two processes; the slowest proofs are left to make chaos
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(READY)  ## run the tests of single modules, in seconds
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/unit

coverage: $(READY)  ## tell which lines of chats/ and platforms/ their own tests run
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/unit tests/platforms
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

matrix: $(READY)  ## run what depends on Airflow on 3.1, 3.2 and 3.3, each with another Python, in environments of their own
	$(BIN)/python -m nox

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## measure requests, time and memory of bulk runs
	$(BIN)/python -m tests.bench

chaos: $(READY)  ## run the slowest proofs: random faults and kills, real clusters, what make test leaves out
	$(BIN)/python -m tests.chaos
	$(BIN)/python -m pytest -m "cluster or chaos" tests/chaos tests/airflow tests/ui
	seed=$$(date +%s) && echo "any answer, seed $$seed" && $(BIN)/python -m pytest tests/airflow/test_any_answer.py \
		--hypothesis-profile=chaos --hypothesis-seed=$$seed

airflow: $(READY)  ## start Airflow with the sandbox beside it
	$(BIN)/python -m demo.standalone

map: $(READY)  ## draw docs/contributing/map.md from the code
	$(BIN)/python -m tools.draw_map

clean:  ## remove what was installed, cached and built
	rm -rf .coverage* .nox .venv .airflow .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build

$(READY): pyproject.toml $(PINNED) airflow_provider_chattransfer/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		(echo "Python 3.11 or newer is needed; say which one with: make PYTHON=python3.12 …" && false)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing this package and Airflow into .venv; that takes some minutes the first time."
	$(PIP) --constraint $(PINNED) pip
	$(PIP) --constraint $(PINNED) --editable '.[redis,sandbox]' --group dev
	touch $@
