# Redshift PDFs for qp and RAIL, asked for by name: `snakemake results/qp/baseline/crossmodal/0/phot+img.hdf5`
# Needs   results/predictions/{dataset}/{model}/{split}/{inputs}.parquet of a network with PDFs
# Makes   results/qp/{dataset}/{model}/{split}/{inputs}.hdf5


rule qp:
    input:
        predictions="results/predictions/{dataset}/{model}/{split}/{inputs}.parquet",
    output:
        hdf5="results/qp/{dataset}/{model}/{split}/{inputs}.hdf5",
    log:
        "logs/qp/{dataset}/{model}/{split}/{inputs}.log",
    conda:
        "../../envs/qp.yaml"
    resources:
        mem_mb=1000,
    params:
        code=code_digest("scores.qp_export"),
    script:
        "../scripts/qp_export.py"
