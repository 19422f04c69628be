# Two commands for people in a hurry; both only wrap tox, which they bring along in .venv-tox.
#   make drill   kill a primary under genuine clients and print the verdict
#   make test    lint and tests; make test ENVS=lint,py311 these environments, each of which must be able to run

TOX := .venv-tox/bin/tox

.PHONY: drill test clean

drill: $(TOX)
	@clients/setup --no-packages || echo "The drill goes on with the clients that can run."
	$(TOX) run -e interop -- $(ARGS)

test: $(TOX)
	$(TOX) run $(if $(ENVS),-e $(ENVS) --skip-missing-interpreters false)

$(TOX):
	@python=; \
	for p in python3 python3.13 python3.12 python3.11; do \
	  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$p; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Tanist needs Python 3.11 or newer, and finds none. Install it and run this again:" >&2; \
	  echo "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv" >&2; \
	  echo "  macOS:           brew install python@3.13" >&2; \
	  exit 1; \
	fi; \
	rm -rf .venv-tox; \
	if ! $$python -m venv .venv-tox; then \
	  rm -rf .venv-tox; \
	  echo "$$python cannot make virtual environments. On Debian and Ubuntu:" >&2; \
	  echo "  sudo apt-get install python3-venv" >&2; \
	  exit 1; \
	fi; \
	.venv-tox/bin/pip install --quiet --disable-pip-version-check 'tox>=4.22,<5' || { rm -rf .venv-tox; exit 1; }

clean:
	rm -rf .tox .venv-tox build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
