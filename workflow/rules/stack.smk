# The stack: trees of photometry beside the main network, pooled and calibrated on the validation parts (config: stack).
# Needs   CATALOG, results/splits/, results/images.parquet (which rows have an image), results/predictions/ of the main network
# Makes   results/models/{dataset}/stacked/{split}/ (trees.safetensors, trees.parquet: their PDFs),
#         results/models/{dataset}/stacked/stack.json; rule ensemble adds ensemble.json; results/predictions/{dataset}/stacked/{split}/{inputs}.parquet


rule trees:
    input:
        catalog=CATALOG,
        splits=collect("results/splits/{{dataset}}/{split}.parquet", split=SPLITS),
        index="results/images.parquet",
    output:
        trees=collect("results/models/{{dataset}}/stacked/{split}/trees.safetensors", split=SPLITS),
        said=collect("results/models/{{dataset}}/stacked/{split}/trees.parquet", split=SPLITS),
    log:
        "logs/trees/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    threads: lambda wildcards, input: 4 if is_large(input.catalog) else 1
    resources:
        mem_mb=lambda wildcards, input: 1000 + round(8 * input.size_mb),
    params:
        magnitudes=NETWORKS[MAIN]["photometry"]["magnitudes"],
        columns=NETWORKS[MAIN]["photometry"]["columns"],
        seed=lookup("seed", within=config),
        code=code_digest("models.growing"),
    script:
        "../scripts/trees.py"


rule stack:
    input:
        networks=collect(
            f"results/predictions/{{{{dataset}}}}/{MAIN}/{{split}}/{{inputs}}.parquet",
            split=SPLITS,
            inputs=STACKED_INPUTS,
        ),
        trees=collect("results/models/{{dataset}}/stacked/{split}/trees.parquet", split=SPLITS),
    output:
        predictions=collect(
            "results/predictions/{{dataset}}/stacked/{split}/{inputs}.parquet", split=SPLITS, inputs=STACKED_INPUTS
        ),
        stack="results/models/{dataset}/stacked/stack.json",
    log:
        "logs/stack/{dataset}.log",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=lambda wildcards, input: 1000 + round(8 * input.size_mb),
    params:
        code=code_digest("estimates.stacked"),
    script:
        "../scripts/stack.py"
