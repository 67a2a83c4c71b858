"""Check the configuration before anything runs, and report every problem at once."""

import difflib
import os.path
from pathlib import Path
from urllib.parse import urlsplit

from crossz.core.addresses import is_address, without_login
from crossz.core.breaches import breaches, read_schema
from crossz.core.names import APERTURES, CROSSMODAL, DCR, LABEL_COLUMNS, TAKEN
from crossz.core.runs import queries_folder
from crossz.core.surveys import SURVEYS

BACKBONES = (
    *APERTURES, "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2", "convnext_tiny", "convnext_small", "convnext_base",
    "convnext_large", "vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14",
)  # fmt: skip
"""Networks that read images: ours, and those of torchvision, whose import takes seconds."""


def problems(config: dict, schema_path: str | Path, root: str | Path) -> list[str]:
    """Every problem of a configuration: what breaks the schema, else what a schema cannot say.

    Parameters
    ----------
    config
        The merged configuration.
    schema_path
        The JSON schema, as YAML.
    root
        The folder that relative paths in the configuration start from.

    Returns
    -------
    list of str
        One line each, with the dotted key; empty when there is none. Of an unknown key the nearest known name is given.
    """
    schema = read_schema(schema_path)
    return (
        breaches(config, schema)
        or _networks(config, schema)
        or _contradictions(
            config, Path(root), Path(root) / queries_folder(Path(root), Path(schema_path).resolve().parents[2])
        )
    )


def extra_columns(config: dict) -> list[str]:
    """Columns beside our own that a query or a file must have: photometry.columns, also of variants.

    The catalog has them for all.
    """
    return list(dict.fromkeys(column for block in _photometry(config) for column in _named(block)))


def crossmatch_radii(config: dict) -> dict[str, float]:
    """The external surveys that a network or a reference sees (photometry.crossmatch, also of variants), with their radii."""
    named = {survey for block in _photometry(config) for survey in block["crossmatch"]}
    radii = config["catalog"]["crossmatch_radius_arcsec"]
    return {survey: radii[survey] for survey in SURVEYS if survey in named}


def seen_columns(photometry: dict) -> list[str]:
    """Columns beside magnitudes that the models of a block `photometry` see: its own, and those of external surveys."""
    return [*_named(photometry), *(name for survey in photometry["crossmatch"] for name in SURVEYS[survey].columns)]


def _named(photometry: dict) -> list[str]:
    """photometry.columns, `dcr` written out."""
    return [name for column in photometry["columns"] for name in (DCR if column == "dcr" else (column,))]


def network(config: dict, name: str) -> dict[str, dict]:
    """What one of `networks` is made with: the blocks crossmodal, train, cutouts and photometry, changed by its variant.

    `photometry` holds magnitudes, features and columns, those of external surveys among them.
    """
    blocks = _blocks(config, name)
    block = blocks["photometry"]
    photometry = {name: block[name] for name in ("magnitudes", "features")} | {"columns": seen_columns(block)}
    return blocks | {"photometry": photometry}


def gives_pdfs(config: dict, name: str) -> bool:
    """Whether one of `networks` estimates redshifts as PDFs."""
    return config["task"] == "redshift" and network(config, name)["crossmodal"]["head"] == "mixture"


def _photometry(config: dict) -> list[dict]:
    return [config["photometry"], *(_blocks(config, name)["photometry"] for name in config["networks"])]


def _blocks(config: dict, name: str) -> dict[str, dict]:
    variant = config["variants"].get(name, {})
    return {block: config[block] | variant.get(block, {}) for block in ("crossmodal", "train", "cutouts", "photometry")}


def _networks(config: dict, schema: dict) -> list[str]:
    known = [CROSSMODAL, *config["variants"]]
    problems = [
        f"networks: no variant is called {name}; there are {', '.join(known)}"
        for name in config["networks"]
        if name not in known
    ]
    for name in config["variants"]:
        if name in TAKEN:
            problems.append(f"variants.{name}: that is another model's name")
        else:
            changed = {block: _blocks(config, name)[block] for block in config["variants"][name]}
            problems += [f"variants.{name}.{line}" for line in breaches(config | changed, schema)]
    return problems


def _contradictions(config: dict, root: Path, queries: Path) -> list[str]:
    return [
        *_fractions(config),
        *(line for name in config["networks"] for line in _network_contradictions(config, name)),
        *_sources(config, root, queries),
        *_also(config, root),
        *_mml(config),
        *(_folder(config, "cutouts", "folder", root) if config["survey"] == "cutouts" else []),
        *(_frames(config, root) if config["survey"] == "sdss" else []),
        *(_addresses(config["archive"]) if config["survey"] == "sdss" or crossmatch_radii(config) else []),
        *_crossmatch(config),
    ]


def _fractions(config: dict) -> list[str]:
    fractions = config["splits"]["fractions"]
    if abs(sum(fractions) - 1) > 1e-9:
        return [f"splits.fractions: {fractions} add up to {sum(fractions):g}, not to 1"]
    return []


def _network_contradictions(config: dict, name: str) -> list[str]:
    blocks = _blocks(config, name)
    settings, survey = blocks["crossmodal"], config["survey"]
    where = "crossmodal" if name == CROSSMODAL else f"variants.{name}.crossmodal"
    problems = []
    if (backbone := settings["backbone"]) not in BACKBONES:
        near = difflib.get_close_matches(backbone, BACKBONES, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BACKBONES)}"
        problems.append(f"{where}.backbone: no network is called {backbone}; {hint}")
    weights = settings["alpha"] + settings["beta"]
    if weights >= 1:
        problems.append(f"{where}.alpha + {where}.beta: {weights:g} leaves no weight for the redshift (eq. 8)")
    if settings["head"] == "mixture" and settings["target"] != "log1p":
        problems.append(f"{where}.head: a mixture is of ln(1 + z); set {where}.target: log1p, or head: point")
    labels = {column.lower() for column in LABEL_COLUMNS}
    problems += [
        f"photometry.columns: {column} (of {name}) comes with a spectrum, or is a name; no model may see it"
        for column in blocks["photometry"]["columns"]
        if column.lower() in labels
    ]
    if survey == "cutouts" and "cutouts" in config["variants"].get(name, {}):
        problems.append(f"networks: {name} needs images aligned anew; those of survey cutouts are aligned already")
    if survey == "photometry" and settings["z_patterns"] != "phot":
        problems.append(
            f"networks: {name} needs images, which survey photometry has not; name variants with z_patterns: phot"
        )
    return problems


def _sources(config: dict, root: Path, queries: Path) -> list[str]:
    survey, backend = config["survey"], config["catalog"]["backend"]
    problems = []
    if (survey == "embedded") != (backend == "embedded") and survey in ("embedded", "sdss"):
        problems.append(f"catalog.backend: {backend} does not go with survey {survey} (sdss: casjobs or skyserver)")
    for dataset in config["datasets"]:
        file = config["catalog"]["files"].get(dataset)
        if survey in ("cutouts", "photometry") and file is None:
            problems.append(f"catalog.files.{dataset}: survey {survey} needs the finished query of this dataset")
        elif survey != "embedded" and file:
            if not os.path.isfile(root / file):
                problems.append(f"catalog.files.{dataset}: no file {file}")
        elif not os.path.isfile(queries / f"{dataset}.sql"):
            problems.append(f"datasets: {dataset}: its query: no file workflow/sql/{dataset}.sql")
    return problems


def _also(config: dict, root: Path) -> list[str]:
    also, problems = config["catalog"]["also"], []
    if also and (config["survey"] == "embedded" or config["task"] == "classification"):
        problems.append("catalog.also: rows beside a dataset are for redshifts of surveys sdss, cutouts and photometry")
    problems += [
        f"catalog.also.{name}: no file {block['file']}"
        for name, block in also.items()
        if not os.path.isfile(root / block["file"])
    ]
    problems += [
        f"catalog.also.{name}.z: {block['z']} is no range; write the smaller redshift first"
        for name, block in also.items()
        if block["z"] is not None and not block["z"][0] < block["z"][1]
    ]
    return problems


def _crossmatch(config: dict) -> list[str]:
    radii, columns = crossmatch_radii(config), extra_columns(config)
    problems = []
    if radii and config["survey"] == "embedded":
        problems.append(
            "photometry.crossmatch: no other survey has seen the sky of survey embedded; "
            "config/loopback.yaml says how a local archive stands in for them"
        )
    ours = {name.lower() for survey in radii for name in SURVEYS[survey].columns}
    problems += [
        f"photometry.columns: {name} is a column of photometry.crossmatch; name it in one of them"
        for name in columns
        if name.lower() in ours
    ]
    return problems


def _mml(config: dict) -> list[str]:
    if not set(config["mml"]["datasets"]) & set(config["datasets"]):
        return []
    problems = []
    if config["task"] == "classification":
        problems.append("mml.datasets: that baseline estimates redshifts, not classes; set it to []")
    if config["survey"] in ("cutouts", "photometry"):
        problems.append(f"mml.datasets: no spectra come with survey {config['survey']}; set it to []")
    return problems


def _frames(config: dict, root: Path) -> list[str]:
    stamps, mirrors = config["stamps"], config["archive"]["sas"]
    frames_root, keep = stamps["frames_root"], stamps["keep_frames"]
    if keep and frames_root is None:
        return ["stamps.keep_frames: say in stamps.frames_root where fetched frames are kept"]
    if keep and stamps["fetch"] != "whole":
        return ["stamps.keep_frames: only whole frames are kept; set stamps.fetch: whole"]
    if not mirrors or (frames_root is not None and (not keep or os.path.exists(root / frames_root))):
        return _folder(config, "stamps", "frames_root", root)
    return []


def _addresses(archive: dict) -> list[str]:
    problems = []
    addresses = {name: [archive[name]] for name in ("casjobs", "login", "skyserver", "xmatch")}
    addresses["sas"] = archive["sas"]
    for name, urls in addresses.items():
        for url in urls:
            if not is_address(url):
                problems.append(f"archive.{name}: {without_login(url)!r} is no address; write https://HOST/PATH")
                continue
            address = urlsplit(url)
            loopback = address.hostname in ("127.0.0.1", "localhost", "::1")
            if name in ("casjobs", "login") and address.scheme != "https" and not loopback:
                problems.append(f"archive.{name}: a login goes there, so it has to be https")
            if address.username or address.password:
                problems.append(f"archive.{name}: no login in an address; docs/dr17.md says where it goes")
    return problems


def _folder(config: dict, block: str, key: str, root: Path) -> list[str]:
    folder = config[block][key]
    if folder is not None and os.path.isdir(root / folder):
        return []
    return [f"{block}.{key}: survey {config['survey']} needs a folder there; found {folder}"]
