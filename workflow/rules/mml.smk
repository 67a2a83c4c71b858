# The baseline PhotoRedshift-MML: spectra on a common grid, its networks on some datasets and every split (config: mml).
# Needs   results/catalog/, results/plan/, results/splits/, results/images.parquet (which rows have an image);
#         SPECTRA, a folder that a rule fills with spectra, if there is one
# Makes   results/spectra/{shard}.arrow (+ counts), results/models/{dataset}/mml/{split}/ (model.pt, model.json),
#         results/predictions/{dataset}/mml/{split}/{inputs}.parquet
# Kept    results/spectra/{shard}/: fetched spectra until their shard is whole


rule spectra:
    input:
        plan="results/plan/{shard}.parquet",
        catalogs=collect("results/catalog/{dataset}.parquet", dataset=MML_DATASETS),
        folder=SPECTRA,
    output:
        spectra="results/spectra/{shard}.arrow",
        counts="results/spectra/{shard}.counts.json",
    log:
        "logs/spectra/{shard}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=1000,
    params:
        cache="results/spectra/{shard}",
        code=code_digest("images.spectra"),
    script:
        "../scripts/spectra.py"


rule mml:
    input:
        catalog="results/catalog/{dataset}.parquet",
        split="results/splits/{dataset}/{split}.parquet",
        index="results/images.parquet",
        spectra=collect("results/spectra/{shard}.arrow", shard=SHARDS),
    output:
        model="results/models/{dataset}/mml/{split}/model.pt",
        info="results/models/{dataset}/mml/{split}/model.json",
        predictions=collect("results/predictions/{{dataset}}/mml/{{split}}/{inputs}.parquet", inputs=MML_INPUTS),
    log:
        "logs/mml/{dataset}/{split}.log",
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=GPUS,
        mem_mb=lambda wildcards, input: 1000 + round(0.35 * input.size_mb),
    params:
        mml=lookup("mml", within=config),
        magnitudes=lookup("photometry/magnitudes", within=config),
        seed=lookup("seed", within=config),
        code=code_digest("models.mml_training"),
    script:
        "../scripts/mml.py"
