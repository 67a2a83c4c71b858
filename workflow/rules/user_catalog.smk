# A finished query by the user, instead of SQL.
# Needs   catalog.files, catalog.columns
# Makes   results/catalog/raw/{dataset}.parquet: checked rows; a receipt beside it


rule user_catalog:
    input:
        source=lambda wildcards: local(config["catalog"]["files"][wildcards.dataset]),
    output:
        raw="results/catalog/raw/{dataset}.parquet",
        receipt="results/catalog/raw/{dataset}.receipt.json",
    log:
        "logs/user_catalog/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["catalog"]["files"]) or "(?!)",
    conda:
        "../../envs/pipeline.yaml"
    params:
        columns=lookup("catalog/columns", within=config),
        units=lookup("catalog/units", within=config),
        extra_columns=EXTRA_COLUMNS,
        published=config["survey"] == "photometry",
        code=code_digest("catalog.raw"),
    script:
        "../scripts/user_catalog.py"
