# The networks of all splits as one folder that needs nothing else, and as one file. Asked for by name:
# `snakemake results/bundle/baseline-crossmodal` or `... results/bundle/baseline-crossmodal.zip`
# Needs   results/models/{dataset}/{model}/ with ensemble.json and domain.safetensors, results/metrics.csv, results/run.yaml, catalog, splits, index of images
# Makes   results/bundle/{dataset}-{model}/, results/bundle/{dataset}-{model}.zip

USER_CATALOGS = set(DATASETS if config["survey"] in ("cutouts", "photometry") else config["catalog"]["files"])


rule bundle:
    input:
        **({} if CLASSES else {"binned": "results/metrics_binned.csv"}),
        models=collect("results/models/{{dataset}}/{{model}}/{split}/model.pt", split=SPLITS),
        infos=collect("results/models/{{dataset}}/{{model}}/{split}/model.json", split=SPLITS),
        splits=collect("results/splits/{{dataset}}/{split}.parquet", split=SPLITS),
        catalog=CATALOG,
        index="results/images.parquet",
        receipt="results/catalog/raw/{dataset}.receipt.json",
        metrics="results/metrics.csv",
        record="results/run.yaml",
        ensemble="results/models/{dataset}/{model}/ensemble.json",
        stack=lambda wildcards: stack_of(wildcards.dataset) if wildcards.model == MAIN else [],
        reference="results/models/{dataset}/{model}/domain.safetensors",
        query=lambda wildcards: local(
            collect(f"{QUERIES}/{{dataset}}.sql", dataset={wildcards.dataset} - USER_CATALOGS)
        ),
    output:
        bundle=directory("results/bundle/{dataset}-{model}"),
    log:
        "logs/bundle/{dataset}-{model}.log",
    wildcard_constraints:
        dataset="|".join(DATASETS),
        model="|".join(NETWORKS),
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=3000,
    params:
        dataset="{dataset}",
        network="{model}",
        align=lambda wildcards: None if INPUTS[wildcards.model] == ["phot"] else settings(wildcards)["cutouts"]["align"],
        references=REFERENCES + [names.STACKED] * bool(STACKED_INPUTS),
        weights=lookup("export/weights", within=config),
        notes=lookup("export/notes", within=config),
        code=code_digest("apply.export"),
    script:
        "../scripts/bundle.py"


rule bundle_zip:
    input:
        bundle="results/bundle/{bundle}",
    output:
        archive="results/bundle/{bundle}.zip",
    log:
        "logs/bundle_zip/{bundle}.log",
    conda:
        "../../envs/train.yaml"
    params:
        code=code_digest("apply.bundle_folder"),
    script:
        "../scripts/bundle_zip.py"
