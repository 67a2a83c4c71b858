# The real survey: finished queries of the user, else CasJobs or SkyServer; frames on disk, else from the archive.
# Needs   catalog.files or catalog.backend; stamps.frames_root or archive.sas
# Makes   results/catalog/raw/{dataset}.parquet (+ receipt), results/stamps/, results/cutouts/
# Kept    results/cache/query/: finished slices of a query; results/frames/{shard}/: frames until their shard is cut

FRAMES = []
SPECTRA = []


include: "user_catalog.smk"
include: "stamps.smk"
include: "archive.smk"


# Where the archive is and how patient we are (config: archive, catalog.backend) changes no row, so it is no parameter.
rule archive_query:
    input:
        sql=local(f"{QUERIES}/{{dataset}}.sql"),
    output:
        raw="results/catalog/raw/{dataset}.parquet",
        receipt="results/catalog/raw/{dataset}.receipt.json",
    log:
        "logs/query/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(set(DATASETS) - set(config["catalog"]["files"])) or "(?!)",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        queries=1,
    params:
        cache="results/cache/query",
        context=lookup("archive/context", within=config),
        extra_columns=EXTRA_COLUMNS,
        code=code_digest("archive.query"),
    script:
        "../scripts/archive_query.py"


rule archive_match:
    input:
        table=own_targets,
    output:
        targets="results/predict/{name}/targets.parquet",
        catalog="results/predict/{name}/catalog.parquet",
    log:
        "logs/match/{name}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        queries=1,
    params:
        columns=lookup("catalog/columns", within=config),
        units=lookup("catalog/units", within=config),
        extra_columns=EXTRA_COLUMNS,
        radius_arcsec=lookup("catalog/match_radius_arcsec", within=config),
        code=code_digest("archive.crossid"),
    script:
        "../scripts/archive_match.py"
