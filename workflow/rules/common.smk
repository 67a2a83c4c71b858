# Shared: the checked configuration and the names that files are made of.

from snakemake.exceptions import WorkflowError

from crossz.config import graphics_card_here, network, problems
from crossz.provenance import code_digest

if found := problems(config, ROOT / "workflow/schemas/config.schema.yaml", "."):
    raise WorkflowError("The configuration has problems:\n  - " + "\n  - ".join(found))

DATASETS = config["datasets"]
SPLITS = range(config["splits"]["count"])
SHARDS = [f"{number:04d}" for number in range(config["plan"]["shards"])]
PATTERNS = ["phot+img", "phot_gen+img", "phot+img_gen", "phot_gen+img_gen"]
ALONE = ["phot", "img"]
NETWORKS = {name: network(config, name) for name in config["networks"]}
INPUTS = {
    name: [kind] if (kind := settings["crossmodal"]["z_patterns"]) in ALONE else PATTERNS
    for name, settings in NETWORKS.items()
}
MAIN = config["networks"][0]  # the network that figures show and others are compared with
REFERENCES = config["references"]["models"]

# One training job a graphics card; where there is none, jobs run side by side, one thread each. A cluster's profile
# says otherwise with set-resources.
GPUS = int(graphics_card_here())


wildcard_constraints:
    dataset=r"[A-Za-z0-9_-]+",
    shard=r"\d{4}",
    split=r"\d+",
    inputs=r"[a-z+_]+",
    name=r"[A-Za-z0-9_-]+",
    model=r"[a-z0-9_]+",
    align="integer|fourier|reproject",


def settings(wildcards):
    return NETWORKS[wildcards.model]


def cutouts_of(model):
    """The images that a network sees: its own alignment, none if it reads photometry alone."""
    align = NETWORKS[model]["cutouts"]["align"]
    folder = "results/cutouts" if align == config["cutouts"]["align"] else f"results/cutouts/{align}"
    return collect(f"{folder}/{{shard}}.arrow", shard=[] if INPUTS[model] == ["phot"] else SHARDS)


def figure(path, caption):
    """A figure as PNG, which the report shows, and as PDF."""
    return [report(f"{path}.png", caption=f"../report/{caption}.rst", category="Figures"), f"{path}.pdf"]


def targets_file(wildcards):
    """The table of new objects."""
    if config["targets"] is None:
        raise WorkflowError(
            f"which objects? --config targets=FILE names their table; it gives results/predict/{wildcards.name}.parquet"
        )
    return config["targets"]
