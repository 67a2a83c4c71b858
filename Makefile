# crossz: `make metrics` runs the main job, `make test` the tests. Both create .venv from the lock file first.
CORES ?= 8
# 0.5.1 of the plugin for Kubernetes ends the run at a failed container instead of trying it again.
PLUGINS := 'snakemake-executor-plugin-kubernetes==0.5.0' 'snakemake-storage-plugin-s3==0.3.6'
# What `make test-storage` and `make test-lsdb` need besides.
STORAGE_TESTS := 'moto[server]==5.2.5' 'kubernetes-validate==1.37.0'
LSDB_TESTS := hatchling hypothesis pytest pytest-xdist
PYTHON ?= python3
BIN := .venv/bin
export NO_MKDOCS_2_WARNING := 1

# make metrics report RUN=deep: in runs/deep/, beside other results.
NAMED = $(if $(RUN),--config run=$(RUN))

metrics: .venv/ready
	$(BIN)/snakemake --cores $(CORES) $(NAMED) -- results/metrics.csv results/metrics_binned.csv results/comparison.md

report: .venv/ready
	$(BIN)/snakemake --cores $(CORES) $(NAMED)
	$(BIN)/snakemake $(NAMED) --report results/report.html --report-stylesheet $(CURDIR)/workflow/report/style.css

test: .venv/ready
	$(BIN)/python -m pytest

# The unit tests: minutes less.
test-fast: .venv/ready
	$(BIN)/python -m pytest tests/unit

# Every reader of foreign bytes against random changes of them, FUZZ_SECONDS each: an hour in all.
FUZZ_SECONDS ?= 330
FUZZ_SEED ?= $(shell date +%s)
fuzz: .venv/ready
	for target in frame compressed spectrum answer sources response mat csv fits votable parquet bundle trees; do \
	    PYTHONPATH=src:tests $(BIN)/python -m fuzz $$target --cases 1000000000 --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) || exit 1; \
	done

# Hostile files, calls and servers, each in a process that is watched: GROUPS="zips mat" runs some of them.
attack: .venv/ready
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m attacks $(GROUPS)

# As root, where slurmctld, slurmd, sbatch and munged are installed and no Slurm is configured: docs/clusters.md.
test-slurm: .venv/ready
	$(BIN)/python -m pytest -n 0 tests/slurm

# S3 and Kubernetes as this machine can play them: docs/clusters.md. The plugins go into an environment of their own,
# since one of them needs an older version of a package than the lock has.
build/storage/ready: .venv/ready requirements-storage.txt
	rm -rf build/storage
	$(BIN)/python -m venv build/storage
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > $$(build/storage/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/crossz.pth
	build/storage/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-storage.txt
	touch $@

test-storage: build/storage/ready
	PATH=$(CURDIR)/build/storage/bin:$$PATH build/storage/bin/python -m pytest -n 0 tests/storage

# Bundles over HATS catalogs, in an environment of their own: hats-import and Snakemake want different versions of packaging.
build/lsdb/ready: .venv/ready requirements-lsdb.txt
	rm -rf build/lsdb
	$(PYTHON) -m venv build/lsdb
	$(BIN)/uv pip install --quiet --python build/lsdb/bin/python --require-hashes -r requirements-lsdb.txt
	$(BIN)/uv pip install --quiet --python build/lsdb/bin/python --no-deps --no-build-isolation --editable .
	touch $@

test-lsdb: build/lsdb/ready
	build/lsdb/bin/python -m pytest -n 0 tests/unit/apply/test_hats.py

# docs/performance.md, measured on this machine.
benchmarks: .venv/ready
	PYTHONPATH=src $(BIN)/python benchmarks/run.py

# The networks that come with crossz, from public data in the folder SDSS: docs/networks.md. NETWORK_CONFIG: more
# configuration files, for trials.
NETWORKS ?= sdss-dr5q sdss-quasars
networks: .venv/ready
	@test -f "$(SDSS)/catalog/dr5q.csv.gz" || { echo 'make networks SDSS=FOLDER: docs/networks.md says what lies in it' >&2; exit 1; }
	mkdir -p build/networks src/crossz/networks
	ln -sfn "$(abspath $(SDSS))" build/networks/data
	for network in $(NETWORKS); do \
	    $(BIN)/snakemake --cores $(CORES) --directory build/networks/$$network \
	        --configfile config/networks/$$network.yaml $(NETWORK_CONFIG) -- results/bundle/$$network.zip || exit 1; \
	    cp build/networks/$$network/results/bundle/$$network.zip src/crossz/networks/ || exit 1; \
	done
	cd src/crossz/networks && sha256sum *.zip > SHA256SUMS
	PYTHONPATH=src $(BIN)/python docs/networks.py

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python docs/settings.py --check
	$(BIN)/python docs/columns.py --check
	$(BIN)/mkdocs build --quiet --strict

# The descriptions of the schema go into config/README.md and config/config.yaml; the figures of the network
# and of the rules are drawn (the latter by graphviz, if it is there), and the scores of the networks listed; then the site is
# built, into site/. Pictures of a run are drawn by `make tutorial`.
docs: .venv/ready
	$(BIN)/python docs/settings.py
	$(BIN)/python docs/columns.py
	$(BIN)/python docs/network.py
	PYTHONPATH=src $(BIN)/python docs/networks.py
	$(BIN)/python docs/dag.py
	$(BIN)/mkdocs build --strict

# What docs/tutorial.md shows, from the run with the defaults that `make metrics report` made.
tutorial: .venv/ready
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python docs/tutorial.py

# requirements-uv.txt has the installer; the lock file decides every version. A change of it rebuilds the environment.
.venv/ready: requirements.txt requirements-uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "crossz needs python3 >= 3.11: make PYTHON=/path/to/python3.12 ...")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# Maintainers, after a change of the dependencies in pyproject.toml. Versions that are locked stay; `make lock UPGRADE=--upgrade`
# takes the newest. No registry's address goes into the files.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command 'make lock' $(UPGRADE)

# All extras but lsdb, which has a file of its own.
EXTRAS = --extra workflow --extra progress --extra reproject --extra qp --extra dev

# The files of the other environments begin as copies of the lock, to have its versions where they can.
lock:
	$(COMPILE) pyproject.toml requirements.in $(EXTRAS) -o requirements.txt
	echo 'uv==0.13.9' | $(COMPILE) - -o requirements-uv.txt
	for name in container storage lsdb; do cp requirements.txt requirements-$$name.txt; done
	printf '%s\n' $(PLUGINS) | $(COMPILE) - -o requirements-container.txt
	printf '%s\n' $(PLUGINS) $(STORAGE_TESTS) | $(COMPILE) - -o requirements-storage.txt
	printf '%s\n' $(LSDB_TESTS) | $(COMPILE) pyproject.toml requirements.in - --extra lsdb -o requirements-lsdb.txt

.PHONY: metrics report test test-fast fuzz attack test-slurm test-lsdb test-storage benchmarks networks tutorial lint docs lock
