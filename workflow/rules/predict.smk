# Redshifts of new objects: asked for by name, with --config targets=FILE.
# Needs   the table that `targets` names; `bundle`, or results/models/{dataset}/ of the last of `datasets`; for targets without
#         magnitudes results/predict/{name}/ (targets.smk)
# Makes   results/predict/{name}.parquet, results/predict/{name}.html


rule predict:
    input:
        targets=targets_table,
        given=own_targets,
        networks=networks_of_all_splits,
        ensemble=ensemble_of_all_splits,
        stack=stack_of_all_splits,
        domain=domain_of_all_splits,
        classes=class_bundle,
        images=target_images,
    output:
        table="results/predict/{name}.parquet",
    log:
        "logs/predict/{name}.log",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=1500,
    params:
        columns=lookup("catalog/columns", within=config),
        units=lookup("catalog/units", within=config),
        survey=lookup("survey", within=config),
        code=code_digest("apply.redshifts"),
    script:
        "../scripts/predict.py"


rule predict_page:
    input:
        table="results/predict/{name}.parquet",
        images=target_images,
    output:
        html="results/predict/{name}.html",
    log:
        "logs/predict_page/{name}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("apply.html_page"),
    script:
        "../scripts/predict_page.py"


if config["survey"] in ("embedded", "sdss"):

    include: "targets.smk"
