# make run     a server on loopback to try xtls with
# make test    every test, in an environment of its own
# make check   types, style, and coverage of the tests in memory
# make clean   removes what the others made

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DESCRIBED = setup.cfg setup.py pyproject.toml

.PHONY: run test check types style coverage clean

run: $(VENV)/.installed
	$(BIN)/xtls demo

test: $(VENV)/.installed-dev
	$(BIN)/trial tests

check: types style coverage

types: $(VENV)/.installed-dev
	$(BIN)/mypy

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .

# tests/real is left out: what is covered must be covered without sockets and processes; and so are the thousands
# of chains of the taxonomy, which are no module's own tests
COVERING = $(filter-out tests/test_taxonomy%,$(wildcard tests/test_*.py))
coverage: $(VENV)/.installed-dev
	$(BIN)/coverage run -m twisted.trial --reporter=text --temp-directory=_trial_temp_coverage $(COVERING)
	$(BIN)/python .ci/own_coverage.py

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .mypy_cache .ruff_cache _trial_temp*

# Editable, because only then do the trial and twistd programs see this folder (CONTRIBUTING.md says why).
$(VENV)/.installed: $(DESCRIBED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: $(DESCRIBED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(VENV)/.installed $@
