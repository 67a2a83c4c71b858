"""Estimates of a table of any length: some rows are read, estimated and written before the next."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from crossz.apply import output, qp_pdfs
from crossz.apply.answer import PREFIX, answered, clashes, column_types, counted, own_places, summary, typed
from crossz.apply.bundle import Bundle
from crossz.apply.page_sample import Sample
from crossz.apply.pdf_columns import GRID_IN_WORDS, with_pdf
from crossz.apply.predict import predict
from crossz.apply.user_images import Find
from crossz.catalog.batches import UserBatches
from crossz.core.errors import CrosszError

log = logging.getLogger(__name__)

EVERY_S = 5.0
"""Seconds between two messages about the progress."""


def write_estimates(
    targets: UserBatches,
    out: Path,
    bundle: Bundle,
    header: Mapping[str, str],
    *,
    find: Find | None = None,
    folder: bool = False,
    pdf: str = "mixture",
    sample: Sample | None = None,
    qp: qp_pdfs.Write | None = None,
    classes: Bundle | None = None,
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
        Of objects with images: what `user_images.finding` gave.
    pdf
        How PDFs are written: one of `pdf_columns.FORMS`.
    sample
        What collects the rows of the HTML page.
    qp
        What writes PDFs for qp (`qp_pdfs.opened`).
    classes
        Networks of classes, as for `predict`.

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
        progress = _Progress()
        types = column_types(progress.counting(targets.given(texts_alone=True)))  # of text, all rows say what it is
        done, own = 0, None
        for batch in targets.lists():
            images = None if find is None else find(_ids(batch.known), range(done, done + len(batch.known)))
            try:
                found = predict(batch.known, bundle, images, classes)
            except CrosszError as error:
                raise CrosszError(f"{targets.how.source}: {error}") from error
            now = counted(found)
            if qp is not None:
                qp(found)
            found, arrays = with_pdf(found, pdf, text)
            if "pdf" in arrays:
                header = {**header, "pdf_z": GRID_IN_WORDS}
            written = typed(
                batch.given, dict(zip(batch.given.column_names, batch.given.schema.types, strict=True)) | types
            )
            if own is None:
                own = own_places(written, targets.how.columns)
                if prefixed := clashes(
                    written.column_names, [name for name in (*map(str, found), *arrays) if name not in own]
                ):
                    log.info(f"the table has {', '.join(prefixed)} itself: ours begin with {PREFIX}")
            rows = answered(batch.given if text else written, found, own, header, arrays)
            write(rows)
            if sample is not None:
                sample.add(rows, images)
            counts = [_added(counts, now)]
            done += len(found)
            progress.tell(done)
    return summary(*counts)


class _Progress:
    """A message now and then: how many rows are done and, where it is known how many there are, how long the rest takes."""

    def __init__(self) -> None:
        self._total = 0
        self._began = self._told = time.monotonic()

    def counting(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables, whose rows are counted; a table without text gives none of them."""
        for table in tables:
            self._total += len(table)
            yield table
        self._began = self._told = time.monotonic()

    def tell(self, done: int) -> None:
        """Called after every batch."""
        now = time.monotonic()
        if now - self._told < EVERY_S or done == self._total:
            return
        self._told = now
        left = (now - self._began) * (self._total - done) / done
        log.info(f"{done:,} of {self._total:,} rows, about {left:.0f} s left" if self._total else f"{done:,} rows")


def _ids(known: pa.Table) -> list[Any] | None:
    ids: list[Any] | None = known["objID"].to_pylist() if "objID" in known.column_names else None
    return ids


def _added(before: Sequence[dict[str, pd.Series]], now: dict[str, pd.Series]) -> dict[str, pd.Series]:
    return {name: pd.concat([*(part[name] for part in before), now[name]]).groupby(level=0).sum() for name in now}
