"""Check the configuration before anything runs, and report every problem at once."""

import difflib
import re
from pathlib import Path

import jsonschema
import yaml

_EXPONENT = re.compile(r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$")


def problems(config: dict, schema_path: str | Path, root: str | Path) -> list[str]:
    """Every problem of `config`, one line each, with its dotted key; an empty list when there is none.

    Checks the schema (types, ranges, unknown keys with the nearest known name) and what a schema cannot say: shares
    that add up, settings that a survey needs, files under `root` (or absolute) that must be there.
    """
    schema = yaml.safe_load(Path(schema_path).read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    found = [line for error in sorted(errors, key=lambda e: [*map(str, e.absolute_path)]) for line in _lines(error)]
    return found or _contradictions(config, Path(root))


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
    elif error.validator in ("enum", "type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        message = f"{message} ({error.schema['description']})" if "description" in error.schema else message
    return [f"{key or 'configuration'}: {message}"]


def _contradictions(config: dict, root: Path) -> list[str]:
    found = []
    fractions = config["splits"]["fractions"]
    if abs(sum(fractions) - 1) > 1e-9:
        found.append(f"splits.fractions: {fractions} add up to {sum(fractions):g}, not to 1")
    weights = config["crossmodal"]["alpha"] + config["crossmodal"]["beta"]
    if weights >= 1:
        found.append(f"crossmodal.alpha + crossmodal.beta: {weights:g} leaves no weight for the redshift (eq. 8)")
    for dataset in config["datasets"]:
        if config["survey"] == "embedded":
            needed, what = f"workflow/sql/{dataset}.sql", f"datasets: {dataset}: its query"
        else:
            needed = config["catalog"]["files"].get(dataset)
            what = f"catalog.files.{dataset}"
            if needed is None:
                found.append(
                    f"{what}: survey {config['survey']} needs the finished query of this dataset (CSV or Parquet)"
                )
                continue
        if not (root / needed).is_file():
            found.append(f"{what}: no file {needed}")
    folder_key = {"sdss": ("stamps", "frames_root"), "cutouts": ("cutouts", "folder")}.get(config["survey"])
    if folder_key:
        folder = config[folder_key[0]][folder_key[1]]
        if folder is None or not (root / folder).is_dir():
            found.append(f"{'.'.join(folder_key)}: survey {config['survey']} needs a folder there; found {folder}")
    return found


def graphics_card_here() -> bool:
    """Whether this machine has an NVIDIA card (its device file; asking the driver would cost seconds)."""
    return Path("/dev/nvidia0").exists()
