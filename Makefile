# Celeriac's commands. `make help` lists them; every one of them sets up what it needs.
SHELL := bash
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/celeriac
UV := $(or $(shell command -v uv 2>/dev/null),$(CACHE)/uv/bin/uv)
PYTHON := .venv/bin/python
CLUSTER := $(PYTHON) -m e2e.cluster
# Compiled code is kept, and apart from the sources, whatever the shell says: tests start thousands of processes, and each
# would compile all of its imports again, which is half of what its start costs.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CACHE)/pycache
# One seed for the order of sets: all processes must find the same tests, and a failure must come again.
PYTEST := PYTHONHASHSEED=0 $(PYTHON) -m pytest
UNIT := $(PYTEST) -n auto --dist worksteal tests/unit
E2E := $(PYTEST) e2e --ignore=e2e/chaos

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

init: .venv/.synced ## the Python environment, from the lock

.venv/.synced: pyproject.toml operator/pyproject.toml sdk/pyproject.toml uv.lock | $(UV)
	@$(UV) sync --frozen --quiet
	touch $@

$(CACHE)/uv/bin/uv:
	@echo "Getting uv"
	python3 -m venv $(CACHE)/uv 2>/dev/null || { apt-get install -y -q python3-venv >/dev/null && python3 -m venv $(CACHE)/uv; }
	$(CACHE)/uv/bin/pip install --quiet uv

fmt: init ## format the code
	@$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix-only --quiet .

lint: init ## style, layers, and no Python directly in operator/
	@$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports
	test -z "$$(git ls-files operator ':!operator/src' | grep '\.py$$')" || { echo "operator/ must hold no .py: it would shadow the standard library"; exit 1; }

typecheck: init ## mypy, strict; and that of users' code it and pyright take and refuse what they should
	@$(PYTHON) -m mypy
	$(PYTHON) -m mypy --config-file tests/mypy.ini e2e tests/support
	$(PYTHON) -m pytest -q tests/typing

generate: init | $(UV) ## write the generated files: CRDs, the chart's copy, and what images are built with
	@$(PYTHON) scripts/generate.py
	$(UV) export --quiet --frozen --only-group image --no-emit-workspace --no-header --no-annotate -o image-requirements.txt

sbom: init ## bills of material (SPDX) of the images, from the lock, to dist/
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(PYTHON) scripts/sbom.py

audit: init | $(UV) ## known vulnerabilities of what the lock has; asks a database on the network (uv >= 0.13)
	@$(UV) audit --frozen --preview-features audit-command

verify: lint typecheck generate sbom ## all checks that need no cluster; generated files must be up to date
	@$(PYTHON) scripts/crd_changes.py
	git diff --exit-code -- crds charts/celeriac/crds image-requirements.txt || { echo "Generated files have drifted: commit what make generate wrote"; exit 1; }

unit: init ## unit tests: no network, no cluster, a minute
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-quick} $(UNIT)

properties: init ## the same, with as many random examples as CI tries
	@$(UNIT)

cluster-up: init ## a real Kubernetes on this machine (CELERIAC_CLUSTER=auto|current|kind|local)
	@$(CLUSTER) up

cluster-down: init ## take it down, wholly
	@$(CLUSTER) down

cluster-status: init ## what of it runs
	@$(CLUSTER) status

images: init ## build the images and load them into the cluster
	@$(CLUSTER) images

integration: cluster-up ## tests against the real API server and a real nats-server
	@$(PYTEST) -n 4 --dist worksteal tests/integration tests/nats  # they wait for servers most of the time

e2e: cluster-up images ## tests of the chart and the images on the real node
	@failed=0
	$(E2E) -n 3 --dist loadgroup -m "not alone and not beside" || failed=1
	$(E2E) -n 3 --dist loadgroup -m beside || failed=1
	$(E2E) -m alone || failed=1
	exit $$failed

chaos: init ## the fault matrix, with the one invariant checker; writes dist/chaos.json (CELERIAC_CHAOS_SEED=…)
	@$(PYTHON) -m pytest e2e/chaos

chaos-short: init ## a few rows of it, in under 90 s; needs no cluster
	@CELERIAC_CHAOS_OUTPUT=dist/chaos-short.json $(PYTHON) -m pytest e2e/chaos -m short

reliability: init ## write the figures of dist/chaos.json into docs/reliability.md
	@$(PYTHON) -m e2e.chaos

soak: init | $(UV) ## a steady mixed load for HOURS (fractions allowed); writes dist/soak/; needs no cluster
	@$(UV) run --frozen --quiet --group soak python -m e2e.soak --hours $(HOURS)

test: verify properties chaos-short integration e2e ## everything; sets up what it needs

demo: cluster-up images ## a hyper-parameter sweep on a real cluster, then Python functions through NATS
	@$(PYTHON) -m examples.digits.sweep
	$(PYTHON) -m examples.python.demo

bench: cluster-up images ## Tasks against raw Jobs, interleaved; writes docs/benchmarks.md
	@$(PYTHON) -m e2e.bench

bench-admission: init ## what admission costs as the backlog grows; needs no cluster
	@$(PYTHON) -m e2e.bench.admission

bench-functions: cluster-up images ## functions through NATS against raw Jobs; writes docs/benchmarks-functions.md
	@$(PYTHON) -m e2e.bench.functions

bench-warm: cluster-up images ## pods that waited against raw Jobs and Celery; writes docs/benchmarks-isolation.md
	@$(PYTHON) -m e2e.bench.warm

bench-worker: cluster-up images ## tasks a second that workers take; writes docs/benchmarks-workers.md
	@$(PYTHON) -m e2e.bench.worker

bench-messages: init ## messages a second by submit_many against nats-py alone; needs no cluster
	@$(PYTHON) -m e2e.bench.messages

bench-backlog: init ## the operator's memory with 1,000,000 messages that wait; needs no cluster
	@$(PYTHON) -m e2e.bench.backlog

bench-scale: cluster-up ## thousands of Tasks against raw Jobs on fake nodes; writes docs/benchmarks-scale.md
	@$(PYTHON) -m e2e.bench.scale

.PHONY: help init fmt lint typecheck generate sbom audit verify unit properties cluster-up cluster-down cluster-status images integration e2e chaos chaos-short reliability soak test demo bench bench-admission bench-functions bench-warm bench-worker bench-messages bench-backlog bench-scale
