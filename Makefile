# Everything runs out of .venv, which `make install` builds from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-sdks check lint types format bench clean kafka fuzz audit

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
test: install
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
