"""Redshifts of the targets of a run: a table of magnitudes, or objects that the archive matched, with their images."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from crossz.apply.answer import counted, finished, header_of, summary
from crossz.apply.bundle import Bundle, load_bundle, trained_networks
from crossz.apply.bundle_folder import fingerprint
from crossz.apply.classes import loaded, with_classes_said
from crossz.apply.predict import images_of, predict
from crossz.apply.stream import write_estimates
from crossz.apply.writers import write_table
from crossz.catalog.batches import user_batches
from crossz.catalog.lists import reading
from crossz.catalog.readers import fields_of, read_all
from crossz.core.errors import CrosszError
from crossz.core.files import read_json
from crossz.models.device import deterministic

log = logging.getLogger(__name__)


def write_redshifts(
    *,
    targets: str | Path,
    columns: Mapping[str, str],
    networks: Sequence[str | Path],
    table: str | Path,
    images: Sequence[str | Path] = (),
    ensemble: Sequence[str | Path] = (),
    stack: Sequence[str | Path] = (),
    domain: Sequence[str | Path] = (),
    classes: Sequence[str | Path] = (),
    units: str | None = None,
    given: str | Path | None = None,
    survey: str | None = None,
    threads: int = 1,
) -> None:
    """Write the estimates of `predict` for a table of targets.

    Parameters
    ----------
    targets
        A table of photometry, or a table of matched positions (catalog.targets).
    columns
        The table's name of each of our columns, where the two differ.
    networks
        Only the folder of a bundle, or model.pt and model.json of each split in turn.
    table
        The Parquet file to write.
    images
        Of matched positions: the index of their images, then the cutout files.
    ensemble
        Of the networks of a run: only the JSON file of `scores.ensemble`.
    stack
        Of the networks of a run: the files of `stacking.of_run`.
    domain
        Likewise: only the file of `domain.write_domain`.
    classes
        Only the folder of a bundle of classes, whose probabilities stand beside the redshifts; nothing without.
    units
        Of the table's magnitudes (`catalog.lists.read_table`).
    given
        Of matched positions: the user's own table, whose columns stand first in what is written.
    survey
        Of the networks of a run: where their training data came from.
    threads
        Threads of the processor.

    Raises
    ------
    CrosszError
        The table cannot be read or lacks a column, or the networks are damaged.
    """
    begun = time.monotonic()
    deterministic(threads)
    if len(networks) == 1:
        bundle = load_bundle(networks[0])
    else:
        bundle = trained_networks(
            networks[::2], networks[1::2], next(iter(ensemble), None), stack, next(iter(domain), None)
        )
    extra_columns = bundle.splits[0].info.columns
    known = read_json(ensemble[0]) if ensemble else None
    header = header_of(bundle.facts, fingerprint(networks[0]) if bundle.facts else None, survey, known)
    beside, needed = None, bundle.columns
    for network in classes:
        beside, found_in = loaded(network)
        header = with_classes_said(header, beside, found_in)
        needed = [*dict.fromkeys([*needed, *beside.columns])]
        extra_columns = (*dict.fromkeys([*extra_columns, *beside.splits[0].info.columns]),)
    if images:
        theirs = pa.table({}) if given is None else read_all(given)
        names = reading(fields_of(theirs.schema), str(given), columns, extra_columns, units).columns if given else {}
        found = _matched(targets, bundle, images, beside)
        write_table(finished(theirs, names, found, header, whole=False), table)
        words = summary(counted(found))
    else:
        with user_batches(targets, needed, columns, extra_columns, units) as batches:
            words = write_estimates(batches, Path(table), bundle, header, classes=beside)
    if "warning" in header:
        log.warning(header["warning"])
    log.info(f"{words}; {time.monotonic() - begun:.1f} s")


def _matched(targets: str | Path, bundle: Bundle, images: Sequence[str | Path], classes: Bundle | None) -> pd.DataFrame:
    objects = pd.read_parquet(targets)
    try:
        return predict(objects, bundle, images_of(objects["objID"], images[0], images[1:]), classes)
    except CrosszError as error:
        raise CrosszError(f"{targets}: {error}") from error
