"""A page about new objects: what became of each target, where they are, how they spread in redshift, what they look like."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.apply.predict import OK, images_of, summary
from crossz.catalog.targets import MALFORMED
from crossz.core.files import atomic_path
from crossz.estimates.predictions import mixtures_of
from crossz.images.store import to_nmgy
from crossz.report.gallery import density_of_z, rgb
from crossz.report.plots import COLOURS, STYLE, plt, settle

COUNT = 12
"""Objects of the gallery."""
ROWS = 1000
"""Targets that the page lists; all are in the table beside it."""
_NARROW = 30.0  # degrees: targets within so little sky are drawn on plain axes
_STATUS = {"ok": (COLOURS[0], "o"), "no_match": (COLOURS[1], "x"), "no_data": (COLOURS[3], "+")}
_FLAGS = ("edge", "out_of_domain", "faint")
_CSS = """body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
img { max-width: 100% } table { border-collapse: collapse; font-size: 13px }
th, td { padding: .15em .7em; text-align: right; border-bottom: 1px solid #ddd } td.text, th.text { text-align: left }
figure { margin: 1.5em 0 } figcaption { color: #555 } .scroll { max-height: 40em; overflow: auto }"""


def sky_map(table: pd.DataFrame) -> plt.Figure | None:
    """Where the targets are, by status; None where none has a position that is one. East is left."""
    placed = (
        table[table["status"] != MALFORMED].dropna(subset=["ra", "dec"])
        if {"ra", "dec"} <= set(table)
        else table.head(0)
    )
    if placed.empty:
        return None
    middle = np.degrees(np.angle(np.exp(1j * np.radians(placed["ra"].to_numpy(float))).mean()))
    east = (placed["ra"].to_numpy(float) - middle + 180) % 360 - 180
    narrow = np.ptp(east) < _NARROW and np.ptp(placed["dec"]) < _NARROW
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.6, 3.2), subplot_kw={} if narrow else {"projection": "mollweide"})
        for status, rows in placed.groupby("status", sort=True):
            colour, marker = _STATUS.get(status, ("0.5", "."))
            here = placed.index.get_indexer(rows.index)
            x, y = (east[here] + middle, rows["dec"]) if narrow else (np.radians(-east[here]), np.radians(rows["dec"]))
            axes.scatter(x, y, 14, colour, marker=marker, lw=1, label=f"{status}: {len(rows):,}", alpha=0.8)
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


def distribution(table: pd.DataFrame) -> plt.Figure:
    """N(z): the histogram of z_phot, and the sum of the PDFs where there are any."""
    known = table[table["status"] == OK]
    low, high = known["z_phot"].min(), known["z_phot"].max()
    bins = np.linspace(max(low - 0.3, 0), high + 0.3, 31)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 2.9))
        axes.hist(known["z_phot"], bins, color=COLOURS[0], alpha=0.35, label=r"$z_\mathrm{phot}$")
        if (mixtures := mixtures_of(known)) is not None:
            z = np.linspace(bins[0], bins[-1], 400)
            total = density_of_z(mixtures, z).sum(0) * (bins[1] - bins[0])
            axes.plot(z, total, color=COLOURS[1], label="sum of the PDFs")
        axes.set(xlabel="redshift", ylabel=f"objects per {bins[1] - bins[0]:.2f} in z", ylim=(0, None))
        axes.legend()
    return figure


def portraits(table: pd.DataFrame, image_paths: Sequence[str | Path]) -> plt.Figure:
    """Up to COUNT targets, evenly placed in their order of z_phot: image, where there is one, and PDF."""
    known = table[table["status"] == OK].sort_values("z_phot", kind="stable")
    some = known.iloc[np.unique(np.linspace(0, len(known) - 1, COUNT).round().astype(int))]
    images, mixtures = (
        (images_of(some["objID"], image_paths[0], image_paths[1:]) if image_paths else None),
        mixtures_of(some),
    )
    columns = -(-len(some) // 2) if len(some) > 4 else len(some)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(1.5 * columns, 2.7 * -(-len(some) // columns)))
        grid = figure.subplots(
            2 * -(-len(some) // columns), columns, squeeze=False, height_ratios=[1.5, 1] * -(-len(some) // columns)
        )
        for axes in grid.flat:
            axes.set_axis_off()
        for number, (_, one) in enumerate(some.iterrows()):
            above, below = grid[2 * (number // columns) : 2 * (number // columns) + 2, number % columns]
            words = f"row {one['row']}\nz = {one['z_phot']:.2f}\n{one['inputs']}"
            above.set_title(words, fontsize=7)
            if images is not None and images.row[number] >= 0:
                pixels, mask = images.store.gather(images.row[[number]])
                above.imshow(rgb(to_nmgy(pixels[0]), mask[0]), origin="lower", interpolation="nearest")
            else:
                above.text(0.5, 0.5, "no image", transform=above.transAxes, ha="center", va="center", color="0.5")
            below.set_axis_on()
            below.axvline(one["z_phot"], color=COLOURS[1], lw=1.1, ls="--")
            if mixtures is not None:
                z = np.linspace(max(some["z_phot"].min() - 0.6, 0), some["z_phot"].max() + 0.6, 400)
                p = density_of_z(type(mixtures)(*(part[[number]] for part in mixtures)), z)[0]
                below.fill_between(z, p / p.max(), color="0.8", lw=0)
                below.plot(z, p / p.max(), color="0.35", lw=0.8)
                below.set_xlim(z[[0, -1]])
            below.set(yticks=[], ylim=(0, 1.08))
            below.spines["left"].set_visible(False)
            below.tick_params(labelsize=7)
            below.set_xlabel("z", fontsize=7, labelpad=0)
    return figure


def page(table: pd.DataFrame, name: str, image_paths: Sequence[str | Path] = ()) -> str:
    """HTML, all of it in one file; of classes no figure but the map. `table`: predict.redshifts; `image_paths`: index and shards of the targets' images, if any."""
    figures = []
    if (drawn := sky_map(table)) is not None:
        figures.append((drawn, "Where the targets are; east is left."))
    if (table["status"] == OK).any() and "z_phot" in table:
        figures.append((distribution(table), "Redshifts: the estimates, and the sum of the objects' PDFs."))
        figures.append(
            (
                portraits(table, image_paths),
                "Objects evenly placed in their order of redshift. i, r, g as red, green, blue.",
            )
        )
    shown = table.head(ROWS)
    names = [
        name
        for name in ("row", "ra", "dec", "objID", "separation_arcsec", "duplicate_of", "status", "inputs")
        if name in shown
    ]
    answers = [
        name for name in shown if name == "class_phot" or (name.startswith("p_") and not name.startswith("p_peak"))
    ]
    head = [*names, *(answers or ["z_phot", "68 %", "95 %"]), "flags"]
    lines = []
    for _, one in shown.astype(object).iterrows():
        flags = [flag for flag in _FLAGS if one[flag]] + (
            [f"missing {one['missing']}"] if one["missing"] and one["status"] == OK else []
        )
        why = f" ({one['why']})" if one.get("why") else ""
        cells = [_cell(name, one[name]) for name in names]
        cells[names.index("status")] += why
        known = one["status"] == OK
        if answers:
            cells += [_cell(name, one[name]) for name in answers]
        else:
            spans = [
                f"{one[f'z_low_{share}']:.2f} – {one[f'z_high_{share}']:.2f}"
                if known and f"z_low_{share}" in one
                else ""
                for share in (68, 95)
            ]
            cells += [f"{one['z_phot']:.3f}" if known else "", *spans]
        cells.append(", ".join(flags))
        lines.append(
            "<tr>"
            + "".join(f"<td{_class(key)}>{html.escape(cell)}</td>" for key, cell in zip(head, cells, strict=True))
        )
    more = f"<p>The first {ROWS:,} of {len(table):,} targets.</p>" if len(table) > ROWS else ""
    pictures = "".join(
        f'<figure><img alt="{html.escape(words)}" src="data:image/png;base64,{_png(figure)}"><figcaption>{words}</figcaption></figure>'
        for figure, words in figures
    )
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{html.escape(name)}: redshifts</title><style>{_CSS}</style>'
        f"<h1>{html.escape(name)}</h1><p>{html.escape(summary(table))}.</p>{pictures}{more}"
        f'<div class="scroll"><table><tr>{"".join(f"<th{_class(key)}>{key}</th>" for key in head)}{"".join(lines)}</table></div></html>\n'
    )


def _class(name: str) -> str:
    return ' class="text"' if name in ("status", "inputs", "flags") else ""


def _cell(name: str, value: object) -> str:
    if pd.isna(value):
        return ""
    digits = 3 if name.startswith("p_") else {"ra": 5, "dec": 5, "separation_arcsec": 2}.get(name)
    return str(value) if digits is None or isinstance(value, str) else f"{value:.{digits}f}"


def _png(figure: plt.Figure) -> str:
    buffer = io.BytesIO()
    settle(figure)
    with plt.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


def write_html_page(*, table: str | Path, images: Sequence[str | Path], html: str | Path) -> None:
    """Write the HTML page of one results/predict/{name}.parquet."""
    text = page(pd.read_parquet(table), Path(table).stem, images)
    with atomic_path(html) as temporary:
        temporary.write_text(text)
