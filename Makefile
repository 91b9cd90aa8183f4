# The same few targets that CI calls. Each makes .venv first where it is not there.
# Without make: README.md names the commands.

PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV_PYTHON := .venv/Scripts/python.exe
else
VENV_PYTHON := .venv/bin/python
endif

.DEFAULT_GOAL := help
.PHONY: help venv vendor unit test slow long sabotage versions book sphinx links notebooks sync exercises setup-cells format colab colab-first dist take-away check-repository clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 20

venv: ## make .venv and install the project there
	@$(PYTHON) tools/make_venv.py

vendor: venv ## put the scripts of the pages, from npm, into _build/static
	$(VENV_PYTHON) tools/vendor.py

unit: venv ## lint, types, layers, unit tests: before each commit
	$(VENV_PYTHON) tools/run_tests.py --unit

test: venv ## the same, and each notebook run once
	$(VENV_PYTHON) tools/run_tests.py

slow: venv ## the unit tests that take more than some seconds
	$(VENV_PYTHON) tools/run_tests.py --slow

long: venv ## the tests that take long: the same as short ones, many more times
	$(VENV_PYTHON) -m pytest -m long

sabotage: venv ## break the package in several ways: each chapter's assertions must notice (an hour)
	$(VENV_PYTHON) tools/sabotage.py

versions: ## the unit tests on each Python, with the oldest and the newest dependencies (needs uv)
	.ci/versions

book: venv ## build _build/html from the notebooks' results, running those that are due
	$(VENV_PYTHON) tools/build_book.py

sphinx: venv ## the pages without results by the newest plain Sphinx, in build/sphinx
	$(VENV_PYTHON) tools/build_sphinx.py

links: venv ## check the links to other sites
	$(VENV_PYTHON) tools/build_sphinx.py linkcheck

notebooks: venv ## run the notebooks that are due, and build nothing
	$(VENV_PYTHON) tools/execute_notebooks.py

sync: venv ## write each book/x.ipynb from its book/x.md, and the notebooks of exercises
	$(VENV_PYTHON) tools/sync_notebooks.py

exercises: venv ## write only the notebooks of exercises
	$(VENV_PYTHON) tools/make_exercises.py

setup-cells: venv ## write what follows from the repository's address in _config.yml
	$(VENV_PYTHON) tools/setup_cells.py

format: venv ## format and fix what ruff can
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

colab: venv ## run the chapters in a bare environment, as Colab would
	$(VENV_PYTHON) tools/run_as_colab.py

colab-first: venv ## run the first chapter so, with gantut from a wheel of this clone
	$(VENV_PYTHON) tools/run_as_colab.py --local book/welcome

dist: venv ## build the wheel, the source package and a zip of the built book into dist/
	$(VENV_PYTHON) tools/make_dist.py

take-away: venv ## after make book: a PDF, an EPUB, slides and a zip of figures in _build/html/take-away
	$(VENV_PYTHON) tools/take_away.py

check-repository: venv ## fail unless GITHUB_REPOSITORY is the repository of _config.yml
	$(VENV_PYTHON) tools/check_repository.py

clean: ## remove what was built and run; .venv and node_modules stay
	rm -rf _build build dist
