"""What `crossz models` says of the networks that come with crossz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossz.apply.bundle_folder import check, opened
from crossz.apply.networks import shipped

_HEADINGS = ("name", "inputs", "magnitudes", "z", "RMSE", "sigma_NMAD", "CRPS", "68 % sets", "MB")
_MAGNITUDES = {"psf": "psfMag, extinction", "dered_model": "dered"}


def listing() -> str:
    """A line for each network: what it reads, its range of redshifts, its scores on held-out objects, and its size.

    Scores are those of objects that at least two splits have not trained on (`scores.ensemble`), with each set of inputs.
    """
    lines: list[tuple[str, ...]] = [_HEADINGS]
    for name, path in shipped().items():
        with opened(path) as folder:
            lines += _lines(name, check(folder), path)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def _lines(name: str, facts: Mapping[str, Any], path: Path) -> list[tuple[str, ...]]:
    z = facts["domain"]["features"]["z"]
    first = (name, f"{z[0]:.2f}-{z[-1]:.2f}", f"{path.stat().st_size / 1e6:.1f}")
    lines: list[tuple[str, ...]] = []
    stack = facts.get("stack", {}).get("ensemble", {})  # what objects with complete photometry get
    found = facts.get("ensemble", {}).get("scores", {}) | stack.get("scores", {})
    for inputs, scores in (found or {"": {}}).items():
        shown, span, size = ("", "", "") if lines else first
        magnitudes = "" if lines else _MAGNITUDES[facts["magnitudes"]]
        values = (f"{scores[key]:.4f}" if key in scores else "" for key in ("rmse", "sigma_nmad", "crps"))
        share = f"{scores['coverage_68']:.1%}" if "coverage_68" in scores else ""
        lines.append((shown, inputs, magnitudes, span, *values, share, size))
    return lines
