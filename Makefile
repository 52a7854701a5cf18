# The README's commands. Each sets up what it needs; a second run reuses it.

# The newest interpreter at hand that is new enough.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test setup bench lint

demo: setup
	$(BIN)/cachemw demo $(ARGS)

# Half of the suite's time is waiting for servers: two processes take little more than half as long.
test: setup lint
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m loadtests.http $(ARGS)

setup:
	@test -n "$(PYTHON)" || { echo "setup: Python 3.11 or newer is needed and was not found." >&2; exit 1; }
	@$(PYTHON) deploy/bootstrap.py
