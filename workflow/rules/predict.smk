# Redshifts of new objects: asked for by name, with --config targets=FILE.
# Needs   the table of photometry that `targets` names; results/models/{dataset}/, of the last of `datasets`
# Makes   results/predict/{name}.parquet


rule predict:
    input:
        targets=targets_file,
        models=collect(f"results/models/{DATASETS[-1]}/{MAIN}/{{split}}/model.pt", split=SPLITS),
        infos=collect(f"results/models/{DATASETS[-1]}/{MAIN}/{{split}}/model.json", split=SPLITS),
    output:
        "results/predict/{name}.parquet",
    log:
        "logs/predict/{name}.log",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=1500,
    params:
        columns=lookup("catalog/columns", within=config),
        code=code_digest("predict"),
    script:
        "../scripts/predict.py"
