"""The rows of a table of estimates that its HTML page shows: all of a short table, a sample of a long one."""

import base64
import io

import numpy as np
import pyarrow as pa

from crossz.apply.predict import Images
from crossz.images.arrow import to_nmgy
from crossz.images.colour import rgb

ROWS = 10_000
"""Rows of a page at most."""
CELLS = 600_000
"""Cells of a page at most: a table of many columns has fewer rows there."""
PICTURES = 2000
"""Images of a page at most, of 2 kB each."""
_FEWEST = 500  # rows that a page may have whatever the number of columns


class Sample:
    """Collects the rows of a page, batch by batch, in the memory of these rows.

    Every row has a random number, which its place in the table gives. The rows with the smallest numbers are kept: the
    sample is the same whatever the batches are.
    """

    def __init__(self) -> None:
        self.total = 0
        """Rows of the table so far."""
        self._tables: list[pa.Table] = []
        self._rows = np.zeros(0, np.int64)
        self._pictures: dict[int, str] = {}

    def add(self, table: pa.Table, images: Images | None = None) -> None:
        """Take the next rows of a table that `answer.answered` made, and their images, if there are any."""
        rows = np.arange(self.total, self.total + len(table))
        self.total += len(table)
        kept = _smallest(np.concatenate([self._rows, rows]), _limit(table.num_columns))
        before, now = kept[kept < len(self._rows)], kept[kept >= len(self._rows)] - len(self._rows)
        self._tables = [*(part.take(before) for part in self._whole()), table.take(now)]
        self._rows = np.concatenate([self._rows[before], rows[now]])
        if images is not None:
            self._draw(images, self._rows[len(before) :], now)

    def _draw(self, images: Images, rows: np.ndarray, places: np.ndarray) -> None:
        """Draw the new rows that have an image, unless as many smaller numbers have one."""
        has = images.row[places] >= 0
        candidates = np.concatenate([np.array(sorted(self._pictures), np.int64), rows[has]])
        chosen = set(candidates[_smallest(candidates, PICTURES)].tolist())
        self._pictures = {row: text for row, text in self._pictures.items() if row in chosen}
        for row, place in zip(rows[has].tolist(), places[has].tolist(), strict=True):
            if row in chosen:
                pixels, mask = images.store.gather(images.row[[place]])
                self._pictures[row] = _jpeg(rgb(to_nmgy(pixels[0]), mask[0]))

    def table(self) -> pa.Table:
        """The rows of the page, in their order."""
        return self._whole()[0]

    def _whole(self) -> list[pa.Table]:
        """The rows so far in one table; nothing before the first."""
        return [pa.concat_tables(self._tables)] if self._tables else []

    @property
    def rows(self) -> np.ndarray:
        """Their numbers in the table, from 0."""
        return self._rows

    @property
    def pictures(self) -> list[str | None] | None:
        """The image of each row as a JPEG in base64, None where there is none; None if no row has one."""
        return [self._pictures.get(row) for row in self._rows.tolist()] if self._pictures else None


def _limit(columns: int) -> int:
    return max(min(ROWS, CELLS // max(columns, 1)), min(ROWS, _FEWEST))


def _smallest(rows: np.ndarray, count: int) -> np.ndarray:
    """Places, in order, of the `count` rows with the smallest random numbers."""
    if len(rows) <= count:
        return np.arange(len(rows))
    number = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64 (Steele et al. 2014)
        number = (number ^ (number >> np.uint64(shift))) * np.uint64(factor)
    return np.sort(np.argsort(number ^ (number >> np.uint64(31)), kind="stable")[:count])


def _jpeg(colours: np.ndarray) -> str:
    """An image [y, x, 3] from 0 to 1, whose first row is the lowest, as a JPEG in base64."""
    from PIL import Image

    picture = Image.fromarray(np.round(colours[::-1] * 255).astype(np.uint8))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=85, subsampling=0, optimize=True)
    return base64.b64encode(content.getvalue()).decode()
