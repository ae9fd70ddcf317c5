# Shortcuts; each runs what .ci/run runs, with the tools of .venv.
.DEFAULT_GOAL := help
.PHONY: help setup format lint types unit docs test chaos bench ci

BIN := .venv/bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make or mend .venv, with the tools of requirements-dev.txt
	scripts/install.sh --dev

format: setup ## format the code, and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: setup ## check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## check types
	$(BIN)/mypy

unit: setup ## the fast lane: units, import rules and documentation, without servers or weights
	$(BIN)/python -m pytest -q --lane units -m "not weights and not ollama"

docs: setup ## draw the rooms, and build the site into site/
	$(BIN)/python scripts/draw_rooms.py
	$(BIN)/mkdocs build --strict

test: ## all tests, with the weights of the base model
	./test.sh

chaos: setup ## kill, flood and cut off the real processes, quick form
	$(BIN)/python -m tests.chaos --quick

bench: setup ## measure live chunks on this machine, quick form
	$(BIN)/python -m benchmarks.live --quick

ci: ## everything that must hold
	.ci/run
