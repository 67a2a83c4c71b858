# The cross-modal network and its ablations: one training a dataset, network and split, one evaluation of every input pattern.
# Needs   CATALOG, results/splits/, results/images.parquet, results/cutouts/
# Makes   results/models/{dataset}/{model}/{split}/ (model.pt, model.json, history.csv), ensemble.json and
#         domain.safetensors of all splits,
#         results/predictions/{dataset}/{model}/{split}/{inputs}.parquet
# A training is as many processes as its resource gpu, one GPU each: --set-resources train:gpu=4 --set-threads train=4
# Says    what the trainings will need of a card (`snakemake training_memory`), before there is any data
# Kept    results/checkpoints/: undeclared, so that a training that was killed goes on from there


localrules:
    training_memory,


rule training_memory:
    log:
        "logs/training_memory.log",
    conda:
        "../../envs/train.yaml"
    params:
        networks=NETWORKS,
        classes=CLASSES,
    script:
        "../scripts/training_memory.py"


rule train:
    input:
        catalog=CATALOG,
        split="results/splits/{dataset}/{split}.parquet",
        index="results/images.parquet",
        cutouts=lambda wildcards: cutouts_of(wildcards.model),
        also=collect("results/also/{{dataset}}/{name}.parquet", name=config["catalog"]["also"]),
        start=start_of,
    output:
        model="results/models/{dataset}/{model}/{split}/model.pt",
        info="results/models/{dataset}/{model}/{split}/model.json",
        history="results/models/{dataset}/{model}/{split}/history.csv",
    log:
        "logs/train/{dataset}/{model}/{split}.log",
    wildcard_constraints:
        model="|".join(NETWORKS),
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=GPUS,
        mem_mb=lambda wildcards, input: 1500 + round(min(input.size_mb, 4000)),
    params:
        checkpoint="results/checkpoints/{dataset}/{model}/{split}.pt",
        crossmodal=lambda wildcards: settings(wildcards)["crossmodal"],
        training=lambda wildcards: own_training(settings(wildcards)["train"]),
        photometry=lambda wildcards: settings(wildcards)["photometry"],
        classes=CLASSES,
        seed=lookup("seed", within=config),
        code=code_digest("models.training"),
    script:
        "../scripts/train.py"


rule start:
    input:
        network=start_network,
    output:
        start="results/start/{model}.pt",
    log:
        "logs/start/{model}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("apply.start"),
    script:
        "../scripts/start.py"


rule evaluate:
    input:
        catalog=CATALOG,
        split="results/splits/{dataset}/{split}.parquet",
        index="results/images.parquet",
        cutouts=lambda wildcards: cutouts_of(wildcards.model),
        model="results/models/{dataset}/{model}/{split}/model.pt",
        info="results/models/{dataset}/{model}/{split}/model.json",
    output:
        predictions=collect("results/predictions/{{dataset}}/{{model}}/{{split}}/{inputs}.parquet", inputs=PATTERNS),
    log:
        "logs/evaluate/{dataset}/{model}/{split}.log",
    wildcard_constraints:
        model="|".join(name for name in NETWORKS if INPUTS[name] == PATTERNS) or "(?!)",
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=GPUS,
        mem_mb=lambda wildcards, input: 1500 + round(min(input.size_mb, 4000)),
    params:
        code=code_digest("models.evaluation"),
    script:
        "../scripts/evaluate.py"


use rule evaluate as evaluate_alone with:
    output:
        predictions=["results/predictions/{dataset}/{model}/{split}/{inputs}.parquet"],
    log:
        "logs/evaluate/{dataset}/{model}/{split}.{inputs}.log",
    wildcard_constraints:
        model="|".join(name for name in NETWORKS if INPUTS[name] != PATTERNS) or "(?!)",
        inputs="|".join(ALONE),


rule ensemble:
    input:
        predictions=lambda wildcards: collect(
            "results/predictions/{dataset}/{model}/{split}/{inputs}.parquet",
            dataset=wildcards.dataset,
            model=wildcards.model,
            split=SPLITS,
            inputs=INPUTS.get(wildcards.model, STACKED_INPUTS),
        ),
    output:
        ensemble="results/models/{dataset}/{model}/ensemble.json",
    log:
        "logs/ensemble/{dataset}/{model}.log",
    wildcard_constraints:
        model="|".join([*NETWORKS, names.STACKED]),
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("scores.ensemble"),
    script:
        "../scripts/ensemble.py"


rule domain:
    input:
        catalog=CATALOG,
        split=f"results/splits/{{dataset}}/{SPLITS[0]}.parquet",
        index="results/images.parquet",
        cutouts=lambda wildcards: cutouts_of(wildcards.model),
        info=f"results/models/{{dataset}}/{{model}}/{SPLITS[0]}/model.json",
    output:
        domain="results/models/{dataset}/{model}/domain.safetensors",
    log:
        "logs/domain/{dataset}/{model}.log",
    wildcard_constraints:
        model="|".join(NETWORKS),
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("apply.domain"),
    script:
        "../scripts/domain.py"
