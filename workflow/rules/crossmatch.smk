# Columns of external surveys for the objects of a catalog, and for matched targets, from CDS XMatch (photometry.crossmatch).
# Needs   results/catalog/{dataset}.parquet; results/predict/{name}/targets.parquet
# Makes   results/crossmatch/{dataset}.parquet, results/predict/{name}/crossmatched.parquet (+ counts)
# Kept    results/cache/crossmatch/: answers to finished batches
# The plan of cutouts does not need these columns: another survey of them fetches no frame again.


rule crossmatch:
    input:
        catalog="results/catalog/{dataset}.parquet",
    output:
        crossmatched="results/crossmatch/{dataset}.parquet",
        counts="results/crossmatch/{dataset}.counts.json",
    log:
        "logs/crossmatch/{dataset}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        queries=1,
        mem_mb=1500,
    params:
        radii_arcsec=CROSSMATCH,
        cache="results/cache/crossmatch",
        code=code_digest("archive.xmatch"),
    script:
        "../scripts/crossmatch.py"


use rule crossmatch as target_crossmatch with:
    input:
        catalog="results/predict/{name}/targets.parquet",
    output:
        crossmatched="results/predict/{name}/crossmatched.parquet",
        counts="results/predict/{name}/crossmatched.counts.json",
    log:
        "logs/target_crossmatch/{name}.log",
    params:
        radii_arcsec=target_radii,
        position=["match_ra", "match_dec"],
        training=False,
        cache="results/cache/crossmatch",
        code=code_digest("archive.xmatch"),
