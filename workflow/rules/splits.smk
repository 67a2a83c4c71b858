# Random train, validation and test parts of each dataset; objIDs of one quasar stay together.
# Needs   results/catalog/{dataset}.parquet; results/gate.json
# Makes   results/splits/{dataset}/{split}.parquet (objID, subset)


localrules:
    splits,


rule splits:
    input:
        catalog="results/catalog/{dataset}.parquet",
        gate="results/gate.json",  # nothing is trained before enough images are there
    output:
        splits=collect("results/splits/{{dataset}}/{split}.parquet", split=SPLITS),
    log:
        "logs/splits/{dataset}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        fractions=lookup("splits/fractions", within=config),
        seed=lookup("seed", within=config),
        code=code_digest("catalog.splits"),
    script:
        "../scripts/splits.py"
