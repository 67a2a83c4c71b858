"""The HTML page about new objects: status, position, redshift and image of each target."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossz.apply.answer import counted, read_answer, summary
from crossz.apply.predict import Images, images_of
from crossz.apply.templating import clean, html_environment
from crossz.core.constants import OK
from crossz.core.files import atomic_path
from crossz.core.names import MALFORMED
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of
from crossz.images.arrow import to_nmgy
from crossz.report.gallery import density_of_z, rgb
from crossz.report.style import COLOURS, STYLE, plt, settle

COUNT = 12
"""Objects whose images and PDFs the page shows."""
ROWS = 1000
"""Targets that the page lists. All of them are in the table."""
_NARROW = 30.0  # degrees: targets within a smaller part of the sky are drawn on plain axes
_STATUS = {"ok": (COLOURS[0], "o"), "no_match": (COLOURS[1], "x"), "no_data": (COLOURS[3], "+")}
_TARGET = ("row", "ra", "dec", "objID", "separation_arcsec", "duplicate_of", "status", "inputs")
_FLAGS = ("edge", "out_of_domain", "photometry_suspect", "faint")
_DIGITS = {"ra": 5, "dec": 5, "separation_arcsec": 2, "z_phot": 3}
_TEXT_COLUMNS = ("status", "inputs", "flags", "class_phot")


class Picture(NamedTuple):
    """A figure of the page."""

    png: str
    """base64."""
    caption: str


def write_html_page(*, table: str | Path, images: Sequence[str | Path], html: str | Path) -> None:
    """Write the HTML page of a table of `predict`.

    Parameters
    ----------
    table
        The Parquet file of the estimates.
    images
        The index of the targets' images, then the cutout files; empty without images.
    html
        The file to write.
    """
    targets, header = read_answer(table)
    cutouts = images_of(targets["objID"], images[0], images[1:]) if images else None
    text = page(targets, Path(table).stem, cutouts, header.get("warning", ""))
    with atomic_path(html) as temporary:
        temporary.write_text(text, encoding="utf-8")


def page(table: pd.DataFrame, title: str, images: Images | None = None, warning: str = "") -> str:
    """The HTML page, in one file without scripts.

    Parameters
    ----------
    table
        What `predict` gives of n targets.
    title
        The heading.
    images
        Cutouts of the same n targets, if there are any.
    warning
        What every reader must know; it is written in red.
    """
    shown = table.head(ROWS)
    headings, rows = cells(shown)
    return html_environment().get_template("page.html").render(
        title=title,
        subject="classes" if "class_phot" in table else "redshifts",
        summary=summary(counted(table)),
        warnings=[text for text in (warning, _outside(table)) if text],
        figures=pictures(table, images),
        count=len(table),
        headings=headings,
        rows=rows,
        text_columns=_TEXT_COLUMNS,
    )  # fmt: skip


def _outside(table: pd.DataFrame) -> str:
    count = int(table["out_of_domain"].sum())
    return (
        f"{count:,} target(s) are unlike the training objects (out_of_domain): do not trust their estimates. "
        f"One in twenty objects like the training ones is marked, too."
        if count
        else ""
    )


def pictures(table: pd.DataFrame, images: Images | None) -> list[Picture]:
    """The figures of the page, in their order. A table of classes has the map only."""
    figures = []
    if len(placed := _placed(table)):
        figures.append((sky_map(placed), "The positions of the targets. East is left."))
    if (table["status"] == OK).any() and "z_phot" in table:
        caption = "The distribution of redshift."
        if mixtures_of(table) is not None:
            caption = "The distribution of redshift: the estimates, and the sum of the PDFs."
        figures.append((redshift_distribution(table), caption))
        caption = "Objects evenly spaced in their order of redshift. Red, green and blue are the bands i, r and g."
        figures.append((portraits(table, images), caption))
    return [Picture(_png(figure), caption) for figure, caption in figures]


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    """The targets whose position is known."""
    if not {"ra", "dec"} <= set(table):
        return table.head(0)
    return table[table["status"] != MALFORMED].dropna(subset=["ra", "dec"])


def cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Headings [m] and texts [n, m] of the list of targets."""
    names = [name for name in _TARGET if name in table]
    columns = {name: [_text(name, value) for value in table[name]] for name in names}
    if "why" in table:
        pairs = zip(columns["status"], table["why"], strict=True)
        columns["status"] = [status if pd.isna(why) or not why else f"{status} ({why})" for status, why in pairs]
    if "class_phot" in table:
        names = ["class_phot", *(name for name in map(str, table) if name.startswith("p_"))]
        columns |= {name: [_text(name, value) for value in table[name]] for name in names}
    else:
        columns["z_phot"] = [_text("z_phot", value) for value in table["z_phot"]]
        for share in (68, 95):
            ends = (f"z_low_{share}", f"z_high_{share}")
            if ends[0] in table:
                columns[f"{share} %"] = [
                    _interval(*values) for values in zip(*(table[end] for end in ends), strict=True)
                ]
    columns["flags"] = [_flags(row) for _, row in table[[*_FLAGS, "missing", "status"]].iterrows()]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def sky_map(table: pd.DataFrame) -> Figure:
    """Positions of targets, by status. East is left. All of them have ra and dec, in degrees."""
    ra, dec = table["ra"].to_numpy(float), table["dec"].to_numpy(float)
    middle = np.degrees(np.angle(np.exp(1j * np.radians(ra)).mean()))
    east = (ra - middle + 180) % 360 - 180
    narrow = np.ptp(east) < _NARROW and np.ptp(dec) < _NARROW
    x, y = (east + middle, dec) if narrow else (np.radians(-east), np.radians(dec))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.6, 3.2), subplot_kw={} if narrow else {"projection": "mollweide"})
        status = table["status"].to_numpy(str)
        for name in np.unique(status):
            colour, marker = _STATUS.get(name, ("0.5", "."))
            here = status == name
            label = f"{_literal(name)}: {here.sum():,}"
            axes.scatter(x[here], y[here], 14, colour, marker=marker, lw=1, label=label, alpha=0.8)
        if narrow:
            axes.set(xlabel="right ascension (°)", ylabel="declination (°)")
            axes.invert_xaxis()
            axes.margins(0.08)
        else:
            axes.grid(lw=0.3)
            ticks = np.arange(-120, 121, 60)
            axes.set_xticks(np.radians(ticks), [f"{(middle - tick) % 360:.0f}°" for tick in ticks], fontsize=7)
        figure.legend(loc="outside lower center", ncols=4)
    return figure


def redshift_distribution(table: pd.DataFrame) -> Figure:
    """N(z): the histogram of z_phot, and the sum of the PDFs if there are any."""
    known = table[table["status"] == OK]
    low, high = known["z_phot"].min(), known["z_phot"].max()
    bins = np.linspace(max(low - 0.3, 0), high + 0.3, 31)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 2.9))
        axes.hist(known["z_phot"], bins.tolist(), color=COLOURS[0], alpha=0.35, label=r"$z_\mathrm{phot}$")
        if (mixtures := mixtures_of(known)) is not None:
            z = np.linspace(bins[0], bins[-1], 400)
            total = density_of_z(mixtures, z).sum(0) * (bins[1] - bins[0])
            axes.plot(z, total, color=COLOURS[1], label="sum of the PDFs")
        axes.set(xlabel="redshift", ylabel=f"objects per {bins[1] - bins[0]:.2f} in z", ylim=(0, None))
        axes.legend()
    return figure


def portraits(table: pd.DataFrame, images: Images | None) -> Figure:
    """Image, if there is one, and PDF of up to COUNT targets, evenly spaced in their order of z_phot."""
    ok = np.flatnonzero(table["status"] == OK)
    order = ok[np.argsort(table["z_phot"].to_numpy()[ok], kind="stable")]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, COUNT).round().astype(int))]
    objects, mixtures = table.iloc[chosen], mixtures_of(table.iloc[chosen])
    columns = -(-len(chosen) // 2) if len(chosen) > 4 else len(chosen)
    lines = -(-len(chosen) // columns)
    z_phot = objects["z_phot"].to_numpy()
    z = np.linspace(max(z_phot.min() - 0.6, 0), z_phot.max() + 0.6, 400)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(1.5 * columns, 2.7 * lines))
        grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[1.5, 1] * lines)
        for axes in grid.flat:
            axes.set_axis_off()
        for number, place in enumerate(chosen):
            line, column = divmod(number, columns)
            above, below = grid[2 * line, column], grid[2 * line + 1, column]
            row = objects.iloc[number]
            above.set_title(f"row {row['row']}\nz = {row['z_phot']:.2f}\n{row['inputs']}", fontsize=7)
            _draw_image(above, images, int(place))
            _draw_pdf(below, z, mixtures and Mixture(*(part[[number]] for part in mixtures)), z_phot[number])
    return figure


def _draw_image(axes: Axes, images: Images | None, target: int) -> None:
    if images is None or images.row[target] < 0:
        axes.text(0.5, 0.5, "no image", transform=axes.transAxes, ha="center", va="center", color="0.5")
        return
    pixels, mask = images.store.gather(images.row[[target]])
    axes.imshow(rgb(to_nmgy(pixels[0]), mask[0]), origin="lower", interpolation="nearest")


def _draw_pdf(axes: Axes, z: np.ndarray, mixture: Mixture | None, z_phot: float) -> None:
    axes.set_axis_on()
    axes.axvline(z_phot, color=COLOURS[1], lw=1.1, ls="--")
    if mixture is not None:
        p = density_of_z(mixture, z)[0]
        axes.fill_between(z, p / p.max(), color="0.8", lw=0)
        axes.plot(z, p / p.max(), color="0.35", lw=0.8)
    axes.set(xlim=z[[0, -1]], ylim=(0, 1.08), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("z", fontsize=7, labelpad=0)


def _literal(text: str) -> str:
    """Text that matplotlib draws as it is: `$` opens no formula."""
    return clean(text).replace("$", r"\$")


def _text(name: str, value: Any) -> str:
    if pd.isna(value):
        return ""
    digits = 3 if name.startswith("p_") else _DIGITS.get(name)
    return str(value) if digits is None or isinstance(value, str) else f"{value:.{digits}f}"


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.2f} – {high:.2f}"


def _flags(row: pd.Series) -> str:
    flags = [flag for flag in _FLAGS if row[flag]]
    return ", ".join(flags + ([f"missing {row['missing']}"] if row["missing"] and row["status"] == OK else []))


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    settle(figure)
    with plt.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()
