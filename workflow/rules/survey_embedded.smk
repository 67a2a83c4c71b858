# The embedded survey: a synthetic sky made on the spot; its SQL is answered by SQLite, its frames lie in results/sky.
# Makes   results/sky/, results/catalog/raw/{dataset}.parquet (+ receipt), results/stamps/, results/cutouts/

FRAMES = "results/sky/sas"
SPECTRA = "results/sky/spectra"


include: "stamps.smk"


# A job's folder in a bucket is not seen from outside the job (snakemake-storage-plugin-s3 0.3.6 remembers that it was
# none): folders are made where Snakemake runs.
if workflow.storage_settings.default_storage_provider:

    localrules:
        embedded_sky,
        embedded_spectra,


rule embedded_sky:
    output:
        database="results/sky/sky.sqlite",
        truth="results/sky/truth.parquet",
        sas=directory(FRAMES),
    log:
        "logs/embedded_sky.log",
    conda:
        "../../envs/pipeline.yaml"
    threads: 8
    resources:
        mem_mb=3000,
    params:
        sky=lookup("sky", within=config),
        seed=lookup("seed", within=config),
        code=code_digest("sky.build"),
    script:
        "../scripts/embedded_sky.py"


# Spectra of the embedded sky, which only the spectral baseline needs.
rule embedded_spectra:
    input:
        truth="results/sky/truth.parquet",
    output:
        sas=directory("results/sky/spectra"),
    log:
        "logs/embedded_spectra.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        seed=lookup("seed", within=config),
        code=code_digest("sky.spectroscopy"),
    script:
        "../scripts/embedded_spectra.py"


rule query:
    input:
        sql=local(f"{QUERIES}/{{dataset}}.sql"),
        database="results/sky/sky.sqlite",
    output:
        raw="results/catalog/raw/{dataset}.parquet",
        receipt="results/catalog/raw/{dataset}.receipt.json",
    log:
        "logs/query/{dataset}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        extra_columns=EXTRA_COLUMNS,
        code=code_digest("archive.embedded"),
    script:
        "../scripts/query.py"


rule match:
    input:
        table=own_targets,
        database="results/sky/sky.sqlite",
    output:
        targets="results/predict/{name}/targets.parquet",
        catalog="results/predict/{name}/catalog.parquet",
    log:
        "logs/match/{name}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        columns=lookup("catalog/columns", within=config),
        units=lookup("catalog/units", within=config),
        extra_columns=EXTRA_COLUMNS,
        radius_arcsec=lookup("catalog/match_radius_arcsec", within=config),
        code=code_digest("archive.embedded_crossid"),
    script:
        "../scripts/match.py"
