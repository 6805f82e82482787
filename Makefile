# The verbs of the workbook; bare `make` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help refresh test lab check lint verify numbers benchmark spark glossary lock clean

BOOK ?= cdnow
RETENTION = .venv/bin/python -m retention_app
# two workers on two cores: threads of BLAS would only wait for one another
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "make %-10s %s\n", $$1, $$2}'

refresh: .venv/.ready  ## publish a book: make refresh BOOK=cdnow (or simulated, complete-journey)
	@$(RETENTION) refresh $(BOOK)

test: .venv/.ready  ## run the tests: make test [ARGS=tests/survival]
	@$(PYTEST) $(ARGS)

lab: .venv/.ready  ## open the notebooks in JupyterLab
	@JUPYTER_PREFER_ENV_PATH=1 .venv/bin/python -m jupyter lab --notebook-dir=notebooks \
		--LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

lint: .venv/.ready  ## look for mistakes of form
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

check: lint  ## lint, all tests and the slow proofs, more examples, every book twice
	@$(PYTEST) -n 3 -m "slow or not slow" --hypothesis-profile=thorough  # many proofs wait for one process, so one more

verify: .venv/.ready  ## refresh twice in two clean folders and compare every byte
	@.venv/bin/python tests/verify.py $(BOOK)

numbers: .venv/.ready  ## compute published results anew and compare them
	@PYTHONPATH=tests .venv/bin/python -m published $(DATA)

benchmark: .venv/.ready  ## set the workbook beside what a user would pick instead
	@for file in benchmarks/*.py; do .venv/bin/python $$file || exit 1; done

spark: .venv/.spark  ## add what books in Spark need to the environment: half a gigabyte

glossary: .venv/.ready  ## write the tables of GLOSSARY.md anew
	@PYTHONPATH=tests .venv/bin/python -m glossary

lock: .venv/.ready  ## choose versions anew for all supported Pythons (needs uv)
	@uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
		--all-extras --group build --group test --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --upgrade --quiet -o requirements.lock

clean:  ## remove the environment, pages and customer tables
	@rm -rf .venv work outreach reports/*/ reports/index.html reports/.building .pytest_cache .ruff_cache

.venv/.ready: requirements.lock pyproject.toml .ci/setup
	@.ci/setup

.venv/.spark: .venv/.ready
	@.ci/setup spark
