# crossz: `make metrics` runs the main job, `make test` the tests. Both create .venv from the lock file first.
CORES ?= 8
PYTHON ?= python3
BIN := .venv/bin

metrics: .venv/ready
	$(BIN)/snakemake --cores $(CORES) results/metrics.csv results/metrics_binned.csv results/comparison.md

report: .venv/ready
	$(BIN)/snakemake --cores $(CORES)
	$(BIN)/snakemake --report results/report.html

test: .venv/ready
	$(BIN)/python -m pytest

# As root, where slurmctld, slurmd, sbatch and munged are installed and no Slurm is configured: docs/clusters.md.
test-slurm: .venv/ready
	$(BIN)/python -m pytest -n 0 tests/slurm

# docs/performance.md, measured on this machine.
benchmarks: .venv/ready
	PYTHONPATH=src $(BIN)/python benchmarks/run.py

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# The lock file decides every version: a change of it rebuilds the environment, nothing else does.
.venv/ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "crossz needs python3 >= 3.11: make PYTHON=/path/to/python3.12 ...")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# After a change of a setting, of the schema or of a docstring: config/README.md and docs/api.md.
docs: .venv/ready
	PYTHONPATH=src $(BIN)/python -m crossz.reference

# Maintainers: resolve requirements.in anew. No registry's address goes into the file.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command 'make lock' --upgrade requirements.in -o requirements.txt

.PHONY: metrics report test test-slurm benchmarks lint docs lock
