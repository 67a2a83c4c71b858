# Shared: the checked configuration and the names that files are made of.

import functools
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from crossz.apply import named_files
from crossz.apply.networks import place_of
from crossz.catalog.header import needs_archive
from crossz.core import names
from crossz.core.breaches import breaches, read_schema
from crossz.core.config import crossmatch_radii, extra_columns, gives_pdfs, network, problems, seen_columns
from crossz.core.cost import cost_in_words
from crossz.core.files import read_json
from crossz.core.hardware import has_gpu
from crossz.core.occupied import other_survey
from crossz.core.paths import WILDCARDS
from crossz.core.provenance import code_digest
from crossz.core.runs import RUNS, keep_paths, queries_folder
from crossz.core.surveys import SURVEYS
from crossz.core.terminal import short_lines

SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


def refuse(messages):
    if messages:
        raise WorkflowError("The configuration has problems:\n  - " + "\n  - ".join(messages))


refuse(breaches(config, read_schema(SCHEMA)))  # before a folder is made
if config["run"] is not None:

    workdir: ROOT / RUNS / config["run"]

    keep_paths(config, ROOT, Path.cwd())


QUERIES = queries_folder(Path.cwd(), ROOT)
refuse(problems(config, SCHEMA, "."))
if workflow.is_main_process:
    refuse(named_files.problems(config))
# A bundle needs nothing of this run.
if workflow.is_main_process and config["bundle"] is None:
    if message := other_survey(config, "results"):
        logger.warning(message)

DATASETS = config["datasets"]
MML_DATASETS = [name for name in DATASETS if name in config["mml"]["datasets"]]
SPLITS = range(config["splits"]["count"])
SHARDS = [f"{number:04d}" for number in range(config["plan"]["shards"])]
PATTERNS, ALONE, MML_INPUTS = list(names.PATTERNS), list(names.ALONE), list(names.MML_INPUTS)
NETWORKS = {name: network(config, name) for name in config["networks"]}
INPUTS = {
    name: [kind] if (kind := blocks["crossmodal"]["z_patterns"]) in ALONE else PATTERNS
    for name, blocks in NETWORKS.items()
}
MAIN = config["networks"][0]  # the network that figures show and others are compared with
REFERENCES = config["references"]["models"]
CLASSES = config["classes"] if config["task"] == "classification" else []
ALSO_IMAGES = [name for name, block in config["catalog"]["also"].items() if block.get("images")]
# The inputs of the stack; none where the main network gives no PDFs, or sees no photometry.
STACKED_INPUTS = [
    name for name in INPUTS[MAIN] if name in names.STACKABLE and config["stack"] and gives_pdfs(config, MAIN)
]
EXTRA_COLUMNS = extra_columns(config)
CROSSMATCH = crossmatch_radii(config)  # external surveys -> arcsec
# The catalog that models read: with the columns of external surveys, if they see any.
CATALOG = f"results/{'crossmatch' if CROSSMATCH else 'catalog'}/{{dataset}}.parquet"

# The terminal shows how far a run is, and what jobs say themselves.
for handler in logger.handlers:
    if workflow.is_main_process and handler.name == "DefaultStreamHandler":
        handler.addFilter(short_lines())

# One training job a GPU; where there is none, jobs run side by side, one thread each. A cluster's profile
# says otherwise with set-resources.
GPUS = int(has_gpu())
if workflow.is_main_process and not GPUS:
    for line in cost_in_words(config):
        logger.warning(line)


wildcard_constraints:
    dataset=WILDCARDS["dataset"],
    model=WILDCARDS["model"],
    split=WILDCARDS["split"],
    inputs=WILDCARDS["inputs"],
    shard=r"\d{4}",
    name=r"[A-Za-z0-9_-]+",
    align="integer|fourier|reproject",


def settings(wildcards):
    return NETWORKS[wildcards.model]


def start_of(wildcards):
    """The weights that a training starts from; none: random ones."""
    return [] if settings(wildcards)["train"]["start"] is None else [f"results/start/{wildcards.model}.pt"]


def start_network(wildcards):
    """The bundle that a training starts from."""
    return local(str(place_of(settings(wildcards)["train"]["start"])))


def own_training(block):
    """The block train, without the folder of the bundle in train.start: a bundle has no path of a computer."""
    return block | {"start": block["start"] and Path(block["start"]).name}


def cutouts_of(model):
    """The images that a network sees: its own alignment, none if it reads photometry alone."""
    align = NETWORKS[model]["cutouts"]["align"]
    folder = "results/cutouts" if align == config["cutouts"]["align"] else f"results/cutouts/{align}"
    return collect(f"{folder}/{{shard}}.arrow", shard=[] if INPUTS[model] == ["phot"] else SHARDS)


def figure_labels(figure, dataset="{dataset}", network=MAIN, inputs="all"):
    """What the report says of a figure; all figures have the same labels, so that they stand in one table."""
    return {"figure": figure, "dataset": dataset, "network": network, "inputs": inputs}


def figure(path, caption, name, **labels):
    """A figure as PNG, which the report shows, and as PDF."""
    png = report(
        f"{path}.png", caption=f"../report/{caption}.rst", category="Figures", labels=figure_labels(name, **labels)
    )
    return [png, f"{path}.pdf"]


def is_large(path):
    """Whether a catalog has more than some thirty thousand rows, if it is there yet."""
    return Path(path).is_file() and Path(path).stat().st_size > 10_000_000


def stop(message):
    """End with one line. Of an exception in a function of a rule, Snakemake shows the stack, too."""
    sys.exit(f"crossz: {message}")


def targets_file(wildcards):
    """The table of new objects."""
    if config["targets"] is None:
        stop(
            f"which objects? --config targets=FILE names their table; it gives results/predict/{wildcards.name}.parquet"
        )
    return config["targets"]


def own_targets(wildcards):
    return local(targets_file(wildcards))


@functools.cache
def header_needs_archive(path):
    return needs_archive(path, config["catalog"]["columns"])


def matched(wildcards):
    """Whether the new objects are found in the archive, with their images; their own magnitudes are used otherwise."""
    path = targets_file(wildcards)
    if header_needs_archive(path) and config["survey"] not in ("embedded", "sdss"):
        stop(f"{path}: survey {config['survey']} has no archive to find objects in: give magnitudes")
    return header_needs_archive(path)


def targets_table(wildcards):
    """What the networks read of new objects: the user's table, or what the archive has of its positions."""
    found = "crossmatched" if target_radii(wildcards) else "targets"
    return f"results/predict/{wildcards.name}/{found}.parquet" if matched(wildcards) else own_targets(wildcards)


def target_radii(wildcards):
    """The external surveys that the networks of new objects see, with their radii."""
    if config["bundle"] is None:
        columns = NETWORKS[MAIN]["photometry"]["columns"]
    else:
        columns = read_json(Path(config["bundle"]) / "bundle.json").get("columns", ())
    if config["class_bundle"] is not None:
        columns = [*columns, *read_json(Path(config["class_bundle"]) / "bundle.json").get("columns", ())]
    radii = config["catalog"]["crossmatch_radius_arcsec"]
    seen = [name for name, survey in SURVEYS.items() if set(columns) & set(survey.columns)]
    return {name: radii[name] for name in seen if config["survey"] == "sdss"}


def target_images(wildcards):
    """The images of new objects, with their index in front; none if the user's table has magnitudes."""
    folder = f"results/predict/{wildcards.name}"
    shards = collect(f"{folder}/cutouts/{{shard}}.arrow", shard=SHARDS)
    return [f"{folder}/images.parquet", *shards] if matched(wildcards) else []


def networks_of_all_splits(wildcards):
    """The networks that estimate redshifts of new objects: a bundle, or model.pt and model.json of every split of the last dataset."""
    if config["bundle"] is not None:
        return [local(config["bundle"])]
    folder = f"results/models/{DATASETS[-1]}/{MAIN}"
    return [f"{folder}/{split}/{name}" for split in SPLITS for name in ("model.pt", "model.json")]


def ensemble_of_all_splits(wildcards):
    """The temperatures of these networks together; a bundle has its own."""
    return [] if config["bundle"] is not None else [f"results/models/{DATASETS[-1]}/{MAIN}/ensemble.json"]


def stack_of_all_splits(wildcards):
    """The trees of the stack of these networks, then its weights and temperatures; a bundle has its own."""
    return [] if config["bundle"] is not None else stack_of(DATASETS[-1])


def stack_of(dataset):
    """The trees of each split, then the weights and temperatures of the stack; nothing without a stack."""
    if not STACKED_INPUTS:
        return []
    folder = f"results/models/{dataset}/{names.STACKED}"
    return [f"{folder}/{split}/trees.safetensors" for split in SPLITS] + [
        f"{folder}/stack.json",
        f"{folder}/ensemble.json",
    ]


def domain_of_all_splits(wildcards):
    """What the distance of new objects from their training part is measured from; a bundle has its own."""
    return [] if config["bundle"] is not None else [f"results/models/{DATASETS[-1]}/{MAIN}/domain.safetensors"]


def class_bundle(wildcards):
    """The networks that estimate classes of new objects beside their redshifts, if there are any."""
    return [] if config["class_bundle"] is None else [local(config["class_bundle"])]


def target_align(wildcards):
    """How the images of new objects are aligned: as those that the networks were trained on."""
    if config["bundle"] is None:
        return NETWORKS[MAIN]["cutouts"]["align"]
    facts = read_json(Path(config["bundle"]) / "bundle.json")
    return facts["images"]["align"] if facts["images"] else config["cutouts"]["align"]
