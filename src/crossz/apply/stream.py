"""Estimates of a table of any length: some rows are read, estimated and written before the next."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from crossz.apply import output
from crossz.apply.answer import PREFIX, answered, clashes, column_types, counted, own_places, summary, typed
from crossz.apply.bundle import Bundle
from crossz.apply.predict import Images, predict
from crossz.catalog.batches import UserBatches
from crossz.core.errors import CrosszError

log = logging.getLogger(__name__)

_EVERY = 1_000_000  # rows, for a message


def write_estimates(
    targets: UserBatches,
    out: Path,
    bundle: Bundle,
    header: Mapping[str, str],
    find: Callable[[Sequence[int | str | None]], Images] | None = None,
    folder: bool = False,
) -> str:
    """Write the user's columns and the estimates of `predict` for all rows of a table.

    Parameters
    ----------
    targets
        The table.
    out, folder
        What is written, and whether it is a folder (`output.opened`).
    bundle
        The networks.
    header
        What `answer.header_of` gave.
    find
        Of objects with images: what `predict.image_finder` gave.

    Returns
    -------
    str
        `answer.summary` of all rows.

    Raises
    ------
    CrosszError
        The table cannot be read, or the folder holds something else.
    """
    counts: list[dict[str, pd.Series]] = []
    with output.opened(out, folder) as write:
        text = out.suffix == ".csv" and not folder
        types = column_types(targets.given(texts_alone=True))  # of text, all rows say what it is
        done, own = 0, None
        for batch in targets.lists():
            images = None if find is None else find(batch.known["objID"].to_pylist())
            try:
                found = predict(batch.known, bundle, images)
            except CrosszError as error:
                raise CrosszError(f"{targets.how.source}: {error}") from error
            written = typed(
                batch.given, dict(zip(batch.given.column_names, batch.given.schema.types, strict=True)) | types
            )
            if own is None:
                own = own_places(written, targets.how.columns)
                if prefixed := clashes(written.column_names, [name for name in map(str, found) if name not in own]):
                    log.info(f"the table has {', '.join(prefixed)} itself: ours begin with {PREFIX}")
            write(answered(batch.given if text else written, found, own, header))
            counts = [_added(counts, counted(found))]
            done += len(found)
            if done // _EVERY > (done - len(found)) // _EVERY:
                log.info(f"{done:,} rows are estimated")
    return summary(*counts)


def _added(before: Sequence[dict[str, pd.Series]], now: dict[str, pd.Series]) -> dict[str, pd.Series]:
    return {name: pd.concat([*(part[name] for part in before), now[name]]).groupby(level=0).sum() for name in now}
