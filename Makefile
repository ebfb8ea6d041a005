# Two commands matter: `make demo` shows what risdoa does, `make test` shows that it works.
# Both set up .venv/ first; a second run finds the stamp and goes straight to work.

.PHONY: install test check explore demo peers clean distclean

PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The first Python >= 3.11 on the machine; `make PYTHON=... install` overrides it.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)

# Every distribution in plugins/ is installed, except those that say they are not.
ALL_PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PLUGINS := $(filter-out $(patsubst %/.not-in-install,%,$(wildcard plugins/*/.not-in-install)),$(ALL_PLUGINS))
# One order and one set of drawn examples, so that a run can be repeated; `make explore` draws others.
SEED ?= 1
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --randomly-seed=$(SEED) $(EXPLORE) \
	$(addprefix --ignore=,$(filter-out $(PLUGINS),$(ALL_PLUGINS)))

STAMP := .venv/.installed-$(shell echo $(PLUGINS) | cksum | cut -d ' ' -f 1)

# The packages and modules that those distributions consist of, for the type checker.
PLUGIN_CODE := $(foreach plugin,$(PLUGINS),$(patsubst %/__init__.py,%,$(wildcard \
	$(plugin)/*/__init__.py $(plugin)/src/*/__init__.py)) $(wildcard $(plugin)/*.py $(plugin)/src/*.py))

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(addsuffix /pyproject.toml,$(PLUGINS))
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found" >&2; \
		echo "hint: install one, or name it: make PYTHON=/path/to/python install" >&2; exit 1; }
	@test -x .venv/bin/pip || $(PYTHON) -m venv .venv
	@echo "installing the pinned dependencies into .venv (minutes, the first time)"
	$(PIP) torch==2.13.0
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e ".[dev]" $(addprefix -e ./,$(PLUGINS))
	@touch $@

test: install
	$(PYTEST)

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy risdoa $(filter-out %/tests,$(PLUGIN_CODE))
	.venv/bin/lint-imports
	$(PYTEST) -m "slow or statistical"

explore: install
	$(MAKE) test SEED=$$(date +%s) EXPLORE=--hypothesis-profile=explore

demo: install
	.venv/bin/risdoa demo

# The peers' libraries are heavy: they get an environment of their own, which borrows the packages of
# .venv/ (site.addsitedir, so that the editable ones work too) and leaves it as it is.
PEERS := plugins/risdoa-peers

peers: .venv-peers/.installed
	.venv/bin/mypy $(PEERS)/risdoa_peers
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 .venv-peers/bin/python -m pytest -m "" $(PEERS)

.venv-peers/.installed: $(STAMP) $(PEERS)/pyproject.toml $(PEERS)/constraints.txt
	@test -x .venv-peers/bin/pip || .venv/bin/python -m venv .venv-peers
	@echo "installing the peers' libraries into .venv-peers (a minute, the first time)"
	@printf 'import site; site.addsitedir("%s")\n' "$$(.venv/bin/python $(SITE))" \
		> "$$(.venv-peers/bin/python $(SITE))/borrowed.pth"
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-c constraints.txt -c $(PEERS)/constraints.txt -e "./$(PEERS)[all]"
	@touch $@

SITE := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

clean:
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find risdoa plugins tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv .venv-peers
