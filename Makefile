# Few commands: run, test, check, bench, quality. Each sets up what it needs; nothing but Python 3.11+ and make is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: run test check bench quality test-servers lock clean

run: $(VENV)/.runtime
	@exec $(BIN)/anju run

test: $(VENV)/.dev test-servers-if-ci
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# On a user's machine a test without its server is skipped with a line that says so; CI may not skip.
.PHONY: test-servers-if-ci
test-servers-if-ci:
	@if [ "$${CI:-}" = true ]; then $(MAKE) --no-print-directory test-servers; fi

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/size_figures.py

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

# How good the built-in rules are: a month of a simulated estate of known truth (docs/how-to/score-rules.md).
QUALITY_ARGS ?= --seed 1 --days 30
quality: $(VENV)/.dev
	$(BIN)/python -m tests.quality run --processes $$(getconf _NPROCESSORS_ONLN) $(QUALITY_ARGS)

test-servers:
	$(PYTHON) tests/servers/fetch.py

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("Anju needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.created requirements.lock pyproject.toml
	@$(call install,requirements.lock)
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.created requirements-dev.lock pyproject.toml
	@$(call install,requirements-dev.lock)
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@ $(VENV)/.runtime

# Installs what a lock file names and counts along: the first time takes a minute, and silence looks like a hang.
define install
	total=$$(grep -c '^[a-z0-9].*==' $(1)); echo "installing $$total packages of $(1), once"; \
	[ -t 1 ] && terminal=1 || terminal=0; \
	{ $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r $(1) || echo failed > $(VENV)/.failed; } \
	| awk -v total=$$total -v terminal=$$terminal '/ERROR/ { print } \
		terminal && /^(Collecting|Requirement already)/ { printf "\r  %d of %d", ++n, total; fflush() } \
		terminal && /^(Installing|Successfully)/ { printf "\n  %s", $$1; fflush() } \
		END { if (terminal) print "" }'; \
	if [ -e $(VENV)/.failed ]; then rm $(VENV)/.failed; exit 1; fi
endef

# Renews the lock files: every dependency with its hashes, for all supported Python versions.
lock: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
