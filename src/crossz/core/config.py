"""Check the configuration before anything runs, and report every problem at once."""

import difflib
import re
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import yaml

TAKEN = ("crossmodal", "mml", "mean", "knn", "random_forest", "gradient_boosting", "mlp")
"""Names of models that no variant may take."""
TOLD = (
    "objID",
    "specObjID",
    "bestObjID",
    "thing_id",
    "z",
    "zErr",
    "zWarning",
    "class",
    "plate",
    "mjd",
    "fiberID",
    "run2d",
    "group",
    "subset",
    "row",
)
"""Columns that only an object with a spectrum has, or that name it: no model may see them."""
_EXPONENT = re.compile(r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$")
_PLAIN = re.compile(r"^([+-]?\d+(\.\d*)?|true|false)$", re.IGNORECASE)


def problems(config: dict, schema_path: str | Path, root: str | Path) -> list[str]:
    """Every problem of `config`, one line each, with its dotted key; an empty list when there is none.

    Checks the schema (types, ranges, unknown keys with the nearest known name) and what a schema cannot say: shares
    that add up, settings that a survey needs, files under `root` (or absolute) that must be there.
    """
    schema = yaml.safe_load(Path(schema_path).read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    found = [line for error in sorted(errors, key=lambda e: [*map(str, e.absolute_path)]) for line in _lines(error)]
    return found or _networks(config, schema) or _contradictions(config, Path(root))


def extra_columns(config: dict) -> list[str]:
    """Columns beside our own that a network or a reference sees: photometry.columns, also of variants; in the catalog for all."""
    blocks = [config["photometry"], *(network(config, name)["photometry"] for name in config["networks"])]
    return list(dict.fromkeys(column for block in blocks for column in block["columns"]))


def network(config: dict, name: str) -> dict[str, dict]:
    """The blocks crossmodal, train, cutouts and photometry of one of `networks`: the configuration's, as its variant has them."""
    variant = config["variants"].get(name, {})
    return {block: config[block] | variant.get(block, {}) for block in ("crossmodal", "train", "cutouts", "photometry")}


def _networks(config: dict, schema: dict) -> list[str]:
    known = ["crossmodal", *config["variants"]]
    found = []
    for name in config["networks"]:
        if name not in known:
            found.append(f"networks: no variant is called {name}; there are {', '.join(known)}")
    for name in config["variants"]:
        if name in TAKEN:
            found.append(f"variants.{name}: that is another model's name")
        else:
            changed = {block: network(config, name)[block] for block in config["variants"][name]}
            errors = jsonschema.Draft202012Validator(schema).iter_errors(config | changed)
            found += [f"variants.{name}.{line}" for error in errors for line in _lines(error)]
    return found


def _lines(error: jsonschema.ValidationError) -> list[str]:
    key = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        lines = []
        for name in error.instance:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1, 0.6)
                hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
                lines.append(f"{key + '.' if key else ''}{name}: unknown key{hint}")
        return lines
    message = error.message
    if error.validator == "type" and isinstance(error.instance, str) and _EXPONENT.match(error.instance):
        mantissa, exponent = re.split("[eE]", error.instance)
        mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
        sign = exponent if exponent[0] in "+-" else f"+{exponent}"
        message = f"YAML reads {error.instance} as text, not as a number; write {mantissa}e{sign}"
    elif error.validator == "type" and isinstance(error.instance, str) and _PLAIN.match(error.instance):
        message = f"{error.instance!r} is text; write it without quotes, and in a file (--configfile): inside a block --config gives texts alone"
    elif error.validator in ("enum", "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        message = f"{message} ({error.schema['description']})" if "description" in error.schema else message
    return [f"{key or 'configuration'}: {message}"]


def _contradictions(config: dict, root: Path) -> list[str]:
    found = []
    fractions = config["splits"]["fractions"]
    if abs(sum(fractions) - 1) > 1e-9:
        found.append(f"splits.fractions: {fractions} add up to {sum(fractions):g}, not to 1")
    for name in config["networks"]:
        settings, where = (
            network(config, name)["crossmodal"],
            f"variants.{name}." * (name != "crossmodal") + "crossmodal",
        )
        weights = settings["alpha"] + settings["beta"]
        if weights >= 1:
            found.append(f"{where}.alpha + {where}.beta: {weights:g} leaves no weight for the redshift (eq. 8)")
        if settings["head"] == "mixture" and settings["target"] != "log1p":
            found.append(f"{where}.head: a mixture is of ln(1 + z); set {where}.target: log1p, or head: point")
        told = {column.lower() for column in TOLD}
        for column in network(config, name)["photometry"]["columns"]:
            if column.lower() in told:
                found.append(
                    f"photometry.columns: {column} (of {name}) comes with a spectrum, or is a name; no model may see it"
                )
        if config["survey"] == "cutouts" and "cutouts" in config["variants"].get(name, {}):
            found.append(f"networks: {name} needs images aligned anew; those of survey cutouts are aligned already")
        if config["survey"] == "photometry" and settings["z_patterns"] != "phot":
            found.append(
                f"networks: {name} needs images, which survey photometry has not; name variants with z_patterns: phot"
            )
    survey, backend = config["survey"], config["catalog"]["backend"]
    if (survey == "embedded") != (backend == "embedded") and survey in ("embedded", "sdss"):
        found.append(f"catalog.backend: {backend} does not go with survey {survey} (sdss: casjobs or skyserver)")
    for dataset in config["datasets"]:
        brought = config["catalog"]["files"].get(dataset)
        if survey in ("cutouts", "photometry") and brought is None:
            found.append(f"catalog.files.{dataset}: survey {survey} needs the finished query of this dataset")
        elif survey != "embedded" and brought:
            if not (root / brought).is_file():
                found.append(f"catalog.files.{dataset}: no file {brought}")
        elif not (root / f"workflow/sql/{dataset}.sql").is_file():
            found.append(f"datasets: {dataset}: its query: no file workflow/sql/{dataset}.sql")
    if config["task"] == "classification" and config["mml"]["run"]:
        found.append("mml.run: that baseline estimates redshifts, not classes; set it to false")
    if survey in ("cutouts", "photometry") and config["mml"]["run"]:
        found.append(f"mml.run: no spectra come with survey {survey}; set it to false")
    if survey == "cutouts":
        found += _folder(config, "cutouts", "folder", root)
    if survey == "sdss":
        found += _archive(config, root)
    return found


def _archive(config: dict, root: Path) -> list[str]:
    found = []
    frames_root, keep, mirrors = (
        config["stamps"]["frames_root"],
        config["stamps"]["keep_frames"],
        config["archive"]["sas"],
    )
    if keep and frames_root is None:
        found.append("stamps.keep_frames: say in stamps.frames_root where fetched frames are kept")
    elif keep and config["stamps"]["fetch"] != "whole":
        found.append("stamps.keep_frames: only whole frames are kept; set stamps.fetch: whole")
    elif not mirrors or (frames_root is not None and not keep):
        found += _folder(config, "stamps", "frames_root", root)
    addresses = {name: [config["archive"][name]] for name in ("casjobs", "login", "skyserver")} | {"sas": mirrors}
    for name, urls in addresses.items():
        for address in map(urlsplit, urls):
            loopback = address.hostname in ("127.0.0.1", "localhost", "::1")
            if name in ("casjobs", "login") and address.scheme != "https" and not loopback:
                found.append(f"archive.{name}: a login goes there, so it has to be https")
            if address.username or address.password:
                found.append(f"archive.{name}: no login in an address; docs/dr17.md says where it goes")
    return found


def _folder(config: dict, block: str, key: str, root: Path) -> list[str]:
    folder = config[block][key]
    if folder is not None and (root / folder).is_dir():
        return []
    return [f"{block}.{key}: survey {config['survey']} needs a folder there; found {folder}"]


def gpu_here() -> bool:
    """Whether this machine has an NVIDIA card (its device file; asking the driver would cost seconds)."""
    return Path("/dev/nvidia0").exists()
