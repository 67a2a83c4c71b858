# A finished query brought by the user, instead of SQL.
# Needs   catalog.files, catalog.columns
# Makes   results/catalog/raw/{dataset}.parquet: checked rows; a receipt beside it


rule bring:
    input:
        lambda wildcards: config["catalog"]["files"][wildcards.dataset],
    output:
        raw="results/catalog/raw/{dataset}.parquet",
        receipt="results/catalog/raw/{dataset}.receipt.json",
    log:
        "logs/bring/{dataset}.log",
    wildcard_constraints:
        dataset="|".join(config["catalog"]["files"]) or "(?!)",
    conda:
        "../../envs/pipeline.yaml"
    params:
        columns=lookup("catalog/columns", within=config),
        further=FURTHER,
        code=code_digest("catalog"),
    script:
        "../scripts/bring.py"
