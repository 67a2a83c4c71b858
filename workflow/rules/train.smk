# The cross-modal network: one training a dataset and split, one evaluation of every input pattern.
# Needs   results/catalog/, results/splits/, results/images.parquet, results/cutouts/
# Makes   results/models/{dataset}/crossmodal/{split}/ (model.pt, model.json, history.csv),
#         results/predictions/{dataset}/crossmodal/{split}/{inputs}.parquet
# Kept    results/resume/: undeclared, so that a killed training goes on where it was


rule train:
    input:
        catalog="results/catalog/{dataset}.parquet",
        split="results/splits/{dataset}/{split}.parquet",
        index="results/images.parquet",
        shards=collect("results/cutouts/{shard}.arrow", shard=SHARDS),
    output:
        model="results/models/{dataset}/crossmodal/{split}/model.pt",
        info="results/models/{dataset}/crossmodal/{split}/model.json",
        history="results/models/{dataset}/crossmodal/{split}/history.csv",
    log:
        "logs/train/{dataset}/{split}.log",
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=GPUS,
        mem_mb=1500,
    params:
        resume="results/resume/{dataset}/crossmodal/{split}.pt",
        crossmodal=lookup("crossmodal", within=config),
        training=lookup("train", within=config),
        magnitudes=lookup("photometry/magnitudes", within=config),
        seed=lookup("seed", within=config),
        code=code_digest("training"),
    script:
        "../scripts/train.py"


rule evaluate:
    input:
        catalog="results/catalog/{dataset}.parquet",
        split="results/splits/{dataset}/{split}.parquet",
        index="results/images.parquet",
        shards=collect("results/cutouts/{shard}.arrow", shard=SHARDS),
        model="results/models/{dataset}/crossmodal/{split}/model.pt",
        info="results/models/{dataset}/crossmodal/{split}/model.json",
    output:
        collect("results/predictions/{{dataset}}/crossmodal/{{split}}/{inputs}.parquet", inputs=PATTERNS),
    log:
        "logs/evaluate/{dataset}/{split}.log",
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=GPUS,
        mem_mb=1500,
    params:
        code=code_digest("training"),
    script:
        "../scripts/evaluate.py"
