# Hash everything on disk again, against what each stage said of its outputs and of the frames it read. `snakemake verify`


localrules:
    verify,


rule verify:
    log:
        "logs/verify.log",
    conda:
        "../../envs/pipeline.yaml"
    script:
        "../scripts/verify.py"
