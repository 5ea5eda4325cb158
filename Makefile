# Everything runs out of .venv, which `make install` builds from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-sdks check lint types format bench clean kafka lock sbom manifests helm helm-check \
	image-check fuzz audit

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

demo: install
	$(BIN)/python deploy/demo/run.py

# Three at a time on two cores: half of the tests wait for brokers and processes. A file's tests share their fixtures. In
# the order of tests/conftest.py: by itself pytest-xdist begins with the files of most tests, which are the short ones.
#
# Compiled first: tests start hundreds of processes, where the environment may forbid each of them to keep what it compiles.
test: install
	$(BIN)/python -m compileall -q processor tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# Installs published SDKs from PyPI and npm, below .sdks/, on first use. Needs node 20 and npm.
test-sdks: install
	$(BIN)/python -m pytest -m sdks tests/sdks

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

check: lint types test

kafka: install
	$(BIN)/python -m deploy.kafka

# Versions stay as they are, but for what pyproject.toml no longer allows; `python deploy/lock.py --upgrade` takes new ones.
# Not after `install`: a lock that lacks what pyproject.toml asks for, or a hash, can't be installed.
lock:
	test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/python deploy/lock.py

sbom: install
	$(BIN)/python deploy/sbom.py

HELM := .helm/helm
HELM_VERSION := v3.22.0

helm: $(HELM)

# Needs Go; a few minutes the first time.
$(HELM):
	GOBIN=$(CURDIR)/.helm go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

# What is generated from the chart: its schema and README, deploy/kubernetes, and what tests read.
manifests: install helm
	$(BIN)/python -m deploy.helm

# The part of the tests that needs helm, and schemas of custom resources from npm.
helm-check: install helm
	npm --prefix tests/kubernetes/crds ci --silent --no-audit --no-fund
	HELM_CHECK=1 $(BIN)/python -m pytest tests/kubernetes

# The steps of deploy/Dockerfile without Docker; needs root on Linux.
image-check: install
	$(BIN)/python -m deploy.image
# Coverage-guided, all targets one after the other; findings and new inputs go to .fuzz/. Then `python -m tests.fuzz
# --minimise` keeps what is worth it in tests/fuzz/corpus.
SECONDS ?= 600
fuzz: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/fuzz/requirements.lock
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

# Licences and the lock, and then what is known against what it names. Status 3: nobody could be asked about that.
audit: install .audit/bin/pip-audit
	$(BIN)/python -m deploy.audit

.audit/bin/pip-audit:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)
