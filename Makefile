# Everything is done in a virtual environment of its own, .venv; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
# Python compiles the modules that it imports, which are a small part of what is installed.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --editable
# What is generated of the documentation is made by what is in website/pages/, which is not installed.
PAGE := PYTHONPATH=website $(BIN)/python -m pages
# Each process takes tests that are neighbours, which share what they set up, and then some of what others have left.
PYTEST := $(BIN)/pytest -n auto --dist worksteal

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

check: .venv/installed ## check the default matrix against what is expected, and print the verdicts
	$(BIN)/uncork check

check-deep: .venv/installed-tests ## two SQs of three and four entries, three SQs, and the tests that are experiments (an hour)
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/deep.csv
	$(PYTEST) --hypothesis-profile all -m "deep or hypothesis"

test: .venv/installed-tests ## tests, lint, types and format (ten minutes on two cores)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy > .venv/types & types=$$!; $(PYTEST); tests=$$?; wait $$types; types=$$?; cat .venv/types; exit $$((tests | types))

test-quick: .venv/installed-tests ## lint, format, and the tests that are neither slow nor deep (two minutes on two cores)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST) -m "not slow and not deep"

docs: .venv/installed-docs ## build the documentation's site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: .venv/installed-docs ## serve it on this machine, anew whenever a page changes
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

pictures: .venv/installed ## draw the pictures of docs/index.md anew, of the runs that they show
	$(PAGE) pictures

museum: .venv/installed ## check the museum of bugs, every device with every guest, queues that come and go, x86-TSO, Arm
	$(BIN)/uncork museum
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/field.csv
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/lifecycle.csv
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/second-sq.csv
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/memory.csv
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/arm.csv
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/hand-over.csv

counterexamples: .venv/installed ## make the folder counterexamples/ anew (minutes)
	$(PAGE) counterexamples

expectations: .venv/installed ## record today's verdicts as the expected ones, here and in the README
	$(BIN)/uncork check --json .venv/rows.json || true
	$(BIN)/python -m uncork_properties.expected < .venv/rows.json > .venv/expected.csv
	mv .venv/expected.csv properties/uncork_properties/recorded/expected.csv
	$(PAGE) readme

expectations-deep: .venv/installed ## record the verdicts of the deep matrix as the expected ones (an hour)
	$(BIN)/uncork check --expect properties/uncork_properties/recorded/deep.csv --json .venv/rows.json || true
	$(BIN)/python -m uncork_properties.expected < .venv/rows.json > .venv/expected.csv
	mv .venv/expected.csv properties/uncork_properties/recorded/deep.csv

proofs: .venv/installed ## record what is proved for all sizes, here and in docs/proof.md (minutes)
	$(PAGE) proofs

museum-pages: .venv/installed ## record what `make museum` checks, here and in docs (minutes)
	$(PAGE) museum

orders: .venv/installed ## write the table of orders in docs/memory.md
	$(PAGE) orders.table

costs: .venv/installed ## record what policies cost, here and in docs/cost.md
	$(PAGE) costs

measure: .venv/installed ## record what policies cost at real sizes, here and in docs/measure.md
	$(PAGE) measured

answer: .venv/installed ## write the answer to Propolis's #1043 anew in every page that gives it, from what is recorded
	$(PAGE) answer

repairs: .venv/installed ## record the minimal repairs of Propolis, here and in docs/repair.md (minutes)
	$(PAGE) repairs

frontier: .venv/installed ## record the live designs of Propolis that no other beats, in docs/frontier.md and its plot (minutes)
	$(PAGE) frontier

conform: .venv/installed ## run a real QEMU beside its model, step by step, with controls (minutes; needs qemu-system-x86_64)
	$(BIN)/uncork conform qemu --controls

conform-page: .venv/installed ## record that, here and in docs/conform.md (minutes)
	$(PAGE) conform

changed-logs: .venv/installed ## record how many logs are rejected after a small change, here and in docs/validate.md (minutes)
	$(PAGE) logs.scores

linux: .venv/installed ## boot a real Linux under QEMU, and hold its trace against the model (a minute; needs qemu-system-x86_64, Debian)
	$(BIN)/python -m uncork.conform.rig.linux .venv/linux
	for depth in 8 1024; do $(BIN)/uncork validate .venv/linux/depth-$$depth.log --format qemu --device qemu --guest linux || exit; done

bench: .venv/installed-bench ## compare with SPIN and TLC on this machine, and write benchmarks/RESULTS.md (an hour)
	$(BIN)/python benchmarks/run.py

format: .venv/installed-tests ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what was made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist site

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "uncork needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(INSTALL) .
	@touch $@

.venv/installed-tests: .venv/bin/python pyproject.toml
	$(INSTALL) '.[test,docs]'
	@touch .venv/installed $@

.venv/installed-docs: .venv/installed
	$(INSTALL) '.[docs]'
	@touch $@

.venv/installed-bench: .venv/installed
	$(INSTALL) '.[bench]'
	@touch $@

.PHONY: help check check-deep test test-quick docs docs-serve pictures museum museum-pages orders costs measure answer repairs frontier changed-logs conform conform-page linux counterexamples expectations expectations-deep proofs bench format clean
