# Each of `make demo` and `make test` is the only set-up command on a fresh Debian 12. `make help` lists them all.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(shell command -v python3.11 || command -v python3))
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
UV_COMPILE := UV_CUSTOM_COMPILE_COMMAND="make requirements" uv pip compile --quiet --generate-hashes --no-emit-index-url --python-version 3.11

.PHONY: help setup system servers demo test containers faults soak seeded-bugs endurance-switchovers endurance-mixed endurance-diff endurance-races check bench bench-audit bench-diff bench-failover bench-routes endurance endurance-watch drill-crashes drill-diff drill-segments docs requirements clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

setup: system servers .venv/dev.done ## the servers' programs, and .venv with all that the tests and checks need

system:
	@requirements/system.sh

servers: system
	@requirements/servers.sh mysql-9.7 mariadb-11.8

demo: system .venv/run.done ## a private pair, a load, a switchover there and back, and one that is rolled back
	$(BIN)/interlock demo

test: setup ## the tests, on real servers, and a few of the faults (as root, for they cut networks apart)
	@tests/all.sh

containers: setup ## the pair of docker-compose.yml and its cut links, in containers (installs an engine where there is none; minutes)
	time requirements/containers.sh run $(BIN)/pytest --durations=10 tests/containers

check: setup ## lint, format, types, layers, stale generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	if [ -e docs/generate.py ]; then $(BIN)/python docs/generate.py --check; fi

faults: setup ## every fault at every moment of a real switchover, in three parts at once (as root, ten to twenty minutes)
	said=$$(mktemp -d); parts=(); failed=0; \
	for part in 2 3; do \
	  INTERLOCK_FAULTS=$$part/3 $(BIN)/pytest tests/faults/test_links.py tests/faults/test_programs.py >$$said/$$part 2>&1 & parts+=($$!); \
	done; \
	INTERLOCK_FAULTS=1/3 $(BIN)/pytest tests/faults || failed=1; \
	for part in $${parts[@]}; do wait $$part || failed=1; done; \
	cat $$said/*; rm -r $$said; exit $$failed

endurance-switchovers: setup ## 200 real switchovers under 64 writers
	PYTHONPATH=tests $(BIN)/python tests/endurance/switchovers.py

endurance-mixed: setup ## 20 switchovers there and back between MySQL and MariaDB under 8 writers
	PYTHONPATH=tests $(BIN)/python tests/endurance/mixed.py

endurance-diff: setup ## 50 comparisons of each flavor under writers: what was planted is found, and nothing else
	PYTHONPATH=tests $(BIN)/python tests/endurance/differences.py

drill-diff: setup ## 200 differences among 5 million rows, on each flavor under load: quiesce, diff, repair, rejoin, switch back (half an hour)
	PYTHONPATH=tests $(BIN)/python tests/endurance/diff_drill.py

endurance-races: setup ## 50 real races of two operators
	PYTHONPATH=tests $(BIN)/python tests/endurance/races.py

soak: setup ## 100,000 nights on the pair in memory (one core, some twenty minutes)
	$(BIN)/python -m interlock.simulated --nights 100000

seeded-bugs: setup ## after how many nights each seeded bug is noticed (half an hour)
	PYTHONPATH=tests $(BIN)/python tests/simulation/mutants.py

bench: setup ## how soon the command answers; our switchover against the bare six statements
	$(BIN)/python benchmarks/command.py
	$(BIN)/python benchmarks/switchover.py

bench-audit: setup ## an audit of a pair with 10,000 tables: seconds and memory (several minutes)
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/audit.py --kind mysql

bench-diff: setup ## our comparison of a pair's data against pt-table-checksum's and a bare scan; its memory (several minutes)
	$(BIN)/python benchmarks/diff.py
	$(BIN)/python benchmarks/diff.py --kind mysql --memory

bench-failover: setup ## 30 failovers on MariaDB, 10 on MySQL: command to first write, against a bare script (ten minutes)
	$(BIN)/python benchmarks/failover.py

bench-routes: setup ## twenty switchovers there and back through each type of route (several minutes)
	PYTHONPATH=tests $(BIN)/python tests/endurance/routes.py

endurance: setup ## hours of a bad night on real servers: the store in etcd under kills and lost majorities
	PYTHONPATH=tests $(BIN)/python tests/endurance/etcd.py

drill-crashes: setup ## kill -9 of a switchover, a failover and a rolling-ddl at every record of their journals, each taken up by resume and by rollback (an hour)
	PYTHONPATH=tests $(BIN)/python tests/endurance/crashes.py

drill-segments: setup ## twenty moves of a segment there and back while both segments are written: none lost, the other one's p99 (ten minutes)
	PYTHONPATH=tests $(BIN)/python tests/endurance/segments.py
	PYTHONPATH=tests $(BIN)/python tests/endurance/segments.py --kind mysql

endurance-watch: setup ## twenty days of watch --act failover in memory, and two hundred deaths (one core, some ten minutes)
	PYTHONPATH=tests $(BIN)/python tests/endurance/watch_days.py

docs: setup ## what is generated: diagram, references, schemas
	$(BIN)/python docs/generate.py

requirements: ## the locked versions, from pyproject.toml (needs uv)
	$(UV_COMPILE) pyproject.toml --group build -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml --group dev -o requirements/dev.txt

clean: ## the environment and what the tools leave; a running sandbox is ended with `interlock sandbox down`
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# -- the environment -----------------------------------------------------------------------------------------------------------------
.venv/pip.done: | system
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	touch $@

.venv/run.done: requirements/run.txt pyproject.toml .venv/pip.done
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev.done: requirements/dev.txt pyproject.toml .venv/pip.done
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@
