"""Class and redshift together: a second bundle says what each target is, beside the redshift that it has as a quasar."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from crossz.core.constants import OK
from crossz.core.errors import CrosszError

if TYPE_CHECKING:
    from crossz.apply.bundle import Bundle

QUASAR = "QSO"
"""The class whose redshifts the networks of redshifts know."""


def check_pair(bundle: "Bundle", classes: "Bundle") -> None:
    """Check that redshifts and classes of the same objects can be estimated together.

    Parameters
    ----------
    bundle
        It must be one of redshifts.
    classes
        It must be one of classes, and QSO must be among them.

    Raises
    ------
    CrosszError
        One of them is of the wrong kind, or their images are aligned in two ways.
    """
    if bundle.splits[0].info.classes:
        raise CrosszError(
            f"{_name(bundle)} estimates classes itself; name a network of redshifts to put classes beside"
        )
    names = classes.splits[0].info.classes
    if not names:
        raise CrosszError(f"--classes {_name(classes)}: it estimates redshifts; name a bundle of config/classes.yaml")
    if QUASAR not in names:
        raise CrosszError(
            f"--classes {_name(classes)}: its classes are {', '.join(names)}; redshifts are those of {QUASAR}, which it must know"
        )
    aligned = {
        name: images["align"] for name, images in (("", _images(bundle)), ("--classes", _images(classes))) if images
    }
    if len(set(aligned.values())) == 2:
        raise CrosszError(
            f"--classes {_name(classes)}: its images are aligned as {aligned['--classes']}, those of {_name(bundle)} as "
            f"{aligned['']}; no image suits both"
        )


def with_classes(found: pd.DataFrame, classed: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Redshifts with the classes of the same rows.

    Parameters
    ----------
    found, classed
        What `predict` gave for n targets by the networks of redshifts, and by those of classes.
    names
        The classes.

    Returns
    -------
    pandas.DataFrame
        `found` with class_phot, p_{class}, and not_quasar: QSO is not the most probable class. Where a row has no
        redshift or no class, its probabilities are empty and not_quasar is false.
    """
    known = (found["status"] == OK) & classed["class_phot"].notna()
    added = classed[["class_phot", *(f"p_{name}" for name in names)]].where(known)
    return found.assign(**added, not_quasar=known & (added["class_phot"] != QUASAR))


def loaded(network: Any) -> tuple["Bundle", str]:
    """The bundle of classes, and its fingerprint. Raises what `load_bundle` raises."""
    from crossz.apply.bundle import load_bundle
    from crossz.apply.bundle_folder import fingerprint, opened

    with opened(network) as folder:
        return load_bundle(folder), fingerprint(folder)


def with_classes_said(header: Mapping[str, str], classes: "Bundle", fingerprint: str) -> dict[str, str]:
    """The header of `answer.header_of` of a table that has classes beside its redshifts.

    Parameters
    ----------
    header
        That of the redshifts.
    classes, fingerprint
        What `loaded` gave.
    """
    from crossz.apply.answer import SYNTHETIC, is_synthetic, scores_in_words

    said = (
        f"by {_name(classes)} (fingerprint {fingerprint[:12]}); redshifts and their PDFs are p(z | {QUASAR}), so "
        f"p_{QUASAR} p(z) is the joint density of class and redshift"
    )
    if scores := scores_in_words(classes.facts.get("ensemble", {})):
        said += f"; {scores}"
    warned = {"warning": SYNTHETIC} if is_synthetic(classes.facts) else {}
    return {**warned, **header, "classes": said}


def _name(bundle: "Bundle") -> str:
    return f"{bundle.facts.get('dataset')}-{bundle.facts.get('network')}" if bundle.facts else "the network of this run"


def _images(bundle: "Bundle") -> Mapping[str, Any] | None:
    return bundle.facts.get("images") if bundle.splits[0].info.sees_images else None
