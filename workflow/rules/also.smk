# Rows that only train, beside those of the datasets.
# Needs   catalog.also, CATALOG
# Makes   results/also/{dataset}/{name}.parquet


rule also:
    input:
        source=lambda wildcards: local(config["catalog"]["also"][wildcards.name]["file"]),
        catalog="results/catalog/{dataset}.parquet",
    output:
        also="results/also/{dataset}/{name}.parquet",
    log:
        "logs/also/{dataset}/{name}.log",
    wildcard_constraints:
        name="|".join(config["catalog"]["also"]) or "(?!)",
    conda:
        "../../envs/pipeline.yaml"
    params:
        units=lambda wildcards: config["catalog"]["also"][wildcards.name]["units"],
        columns=lambda wildcards: config["catalog"]["also"][wildcards.name].get("columns", {}),
        z=lambda wildcards: config["catalog"]["also"][wildcards.name]["z"],
        images=lambda wildcards: config["catalog"]["also"][wildcards.name].get("images", False),
        extra_columns=EXTRA_COLUMNS,
        radius_arcsec=lookup("catalog/group_radius_arcsec", within=config),
        code=code_digest("catalog.also"),
    script:
        "../scripts/also.py"
