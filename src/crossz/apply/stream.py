"""Estimates of a table of any length: some rows are read, estimated and written before the next."""

import logging
from collections.abc import Mapping, Sequence
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

_EVERY = 1_000_000  # rows, for a message


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
            images = None if find is None else find(_ids(batch.known), range(done, done + len(batch.known)))
            try:
                found = predict(batch.known, bundle, images)
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
            if done // _EVERY > (done - len(found)) // _EVERY:
                log.info(f"{done:,} rows are estimated")
    return summary(*counts)


def _ids(known: pa.Table) -> list[Any] | None:
    ids: list[Any] | None = known["objID"].to_pylist() if "objID" in known.column_names else None
    return ids


def _added(before: Sequence[dict[str, pd.Series]], now: dict[str, pd.Series]) -> dict[str, pd.Series]:
    return {name: pd.concat([*(part[name] for part in before), now[name]]).groupby(level=0).sum() for name in now}
