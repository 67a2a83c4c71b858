"""The command `crossz`: estimates for new objects by a bundle, and information about a bundle.

Imports stand where they are used: a wrong call should not wait seconds for torch, nor `--help` for pandas.
"""

import argparse
import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossz.apply import completion
from crossz.apply.column_pairs import column_pairs
from crossz.apply.given_paths import SUFFIXES, check_paths, is_folder
from crossz.apply.messages import messages_from
from crossz.core.errors import CrosszError
from crossz.core.job import message_of
from crossz.core.version import VERSION

if TYPE_CHECKING:
    from crossz.apply.bundle import Bundle
    from crossz.catalog.batches import UserBatches

log = logging.getLogger(__name__)


_MOST_THREADS = 1024
_NETWORK = "a network that comes with crossz (`crossz models` lists them), or the folder or zip file of a bundle"
_CLASSES = "a bundle of classes (config/classes.yaml): probabilities of star, galaxy and quasar beside the redshift"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    Parameters
    ----------
    arguments
        The words after `crossz`; default: those of the command line.

    Raises
    ------
    SystemExit
        With a message of one line and exit status 1 for an error that the user can mend, with exit status 2 for a wrong
        call.
    """
    if any("\0" in word for word in arguments or ()):
        sys.exit("crossz: a word of this call has the character NUL, which no name of a file has")
    options = parser().parse_args(arguments)
    with messages_from(options.level):
        try:
            options.run(options)
        except (CrosszError, OSError) as error:
            log.debug("the error was raised here:", exc_info=error)
            sys.exit(f"crossz: {message_of(error)}")


def parser() -> argparse.ArgumentParser:
    """The options and arguments of the command line."""
    main_parser = argparse.ArgumentParser(
        "crossz", description="Photometric redshifts of quasars by trained networks. Training: see the README."
    )
    main_parser.add_argument("--version", action="version", version=VERSION)
    commands = main_parser.add_subparsers(required=True, metavar="COMMAND")
    messages = argparse.ArgumentParser(add_help=False)
    level = messages.add_mutually_exclusive_group()
    for name, value, text in (
        ("--quiet", logging.WARNING, "write nothing but warnings and errors to the terminal"),
        ("--verbose", logging.DEBUG, "write details to the terminal, and where an error was raised"),
    ):
        level.add_argument(name, dest="level", action="store_const", const=value, default=logging.INFO, help=text)
    _add_predict(commands, messages)
    _add_nz(commands, messages)
    info = commands.add_parser(
        "info",
        parents=[messages],
        help="fingerprint and model card of a network",
        description="Check a bundle, and print its fingerprint, the columns that it needs, and its model card.",
    )
    info.add_argument("bundle", metavar="NETWORK", help=_NETWORK)
    info.set_defaults(run=_info)
    models = commands.add_parser(
        "models",
        parents=[messages],
        help="the networks that come with crossz",
        description="List the networks that come with crossz: inputs, range of redshifts, scores on held-out objects, size.",
    )
    models.set_defaults(run=_models)
    completion.add(commands)
    return main_parser


def _add_predict(commands: Any, messages: argparse.ArgumentParser) -> None:
    predict = commands.add_parser(
        "predict",
        parents=[messages],
        help="estimates for the objects of a table",
        usage="crossz predict NETWORK (TARGETS OUT | --at RA DEC [OUT]) [--columns OURS=THEIRS ...] [--units UNIT] [--cutouts FILE ...] [--pdf FORM] [--classes BUNDLE] [--no-page] [--threads N]",
        description="Estimates for the objects of a table: one row for each row of the table, in its order.",
    )
    predict.add_argument("bundle", metavar="NETWORK", help=_NETWORK)
    predict.add_argument(
        "targets",
        nargs="?",
        metavar="TARGETS",
        help="table of photometry: CSV, TSV, ECSV, FITS, VOTable or Parquet, or - for a pipe; `crossz info NETWORK` names its columns",
    )
    predict.add_argument(
        "out", nargs="?", metavar="OUT", help=f"table to write: {', '.join(SUFFIXES)}; or a folder, for Parquet files"
    )
    predict.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="OURS=THEIRS",
        help="names of the table's columns where they differ from ours: dered_u=umag, or 'dered_*=*mag' for all bands; @FILE holds such pairs, one a line",
    )
    predict.add_argument(
        "--units",
        metavar="UNIT",
        help="unit of its magnitudes and their errors: asinh, AB, nmgy, maggies, uJy, Jy ...; default: what the file says, else asinh magnitudes, as SDSS has them",
    )
    predict.add_argument(
        "--cutouts",
        nargs="+",
        default=[],
        metavar="FILE",
        help="images: cutout files, as results/cutouts/*.arrow; a folder of them, or of .npy or FITS files named by objID; or one .npy file, an image a row",
    )
    predict.add_argument(
        "--pdf",
        choices=("mixture", "grid", "qp", "none"),
        default="mixture",
        help="how PDFs are written: Gaussians in ln(1 + z) (default), p(z) on a grid, as OUT.hdf5 for qp.read beside the table, or not at all",
    )
    predict.add_argument("--classes", metavar="BUNDLE", help=_CLASSES)
    _add_page_and_place(predict)
    predict.set_defaults(run=_predict, error=predict.error)


def _add_page_and_place(predict: argparse.ArgumentParser) -> None:
    predict.add_argument(
        "--no-page",
        action="store_true",
        help="write no HTML page beside the table; otherwise OUT.html shows it: sorted, searched, with images and PDFs",
    )
    predict.add_argument(
        "--threads",
        type=_threads,
        default=1,
        metavar="N",
        help="threads of the processor (default: 1; large backbones profit from more)",
    )
    predict.add_argument(
        "--at",
        nargs="+",
        metavar=("RA", "DEC"),
        help="one object of SDSS instead of a table: its position in degrees, or '10:40:50.9 -0:12:3', or a name that SIMBAD knows; magnitudes come from SkyServer",
    )


def _add_nz(commands: Any, messages: argparse.ArgumentParser) -> None:
    nz = commands.add_parser(
        "nz",
        parents=[messages],
        help="n(z) of a table of estimates",
        description="n(z) of a table of estimates: the mean of its PDFs with bootstrap errors, as CSV, with a plot beside it.",
    )
    nz.add_argument("table", metavar="TABLE", help="what `crossz predict` wrote: a file, or a folder of Parquet files")
    nz.add_argument("out", metavar="OUT.csv", help="CSV to write; OUT.png is the plot")
    nz.add_argument(
        "--bins", nargs="+", type=float, default=[], metavar="Z", help="edges of tomographic bins of z_phot, increasing"
    )
    nz.add_argument("--qp", action="store_true", help="write OUT.hdf5 too, for qp.read: a row a bin")
    nz.add_argument(
        "--training",
        metavar="NETWORK",
        help="compare the targets with the training objects of this network: OUT-training.png shows how far they are alike",
    )
    nz.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="OURS=THEIRS",
        help="with --training: names of the table's magnitudes, as in `crossz predict`",
    )
    nz.add_argument("--units", metavar="UNIT", help="with --training: their unit, as in `crossz predict`")
    nz.set_defaults(run=_nz, error=nz.error)


def _info(options: argparse.Namespace) -> None:
    from crossz.apply import bundle_folder

    with bundle_folder.opened(options.bundle) as folder:
        columns = _needed(bundle_folder.check(folder))
        card = (folder / bundle_folder.CARD).read_text(encoding="utf-8", errors="replace")
        fingerprint = bundle_folder.fingerprint(folder)
    card = "".join(char for char in card if char.isprintable() or char == "\n")  # a terminal would obey the others
    sys.stdout.write(f"fingerprint {fingerprint}\ncolumns {' '.join(columns)}\n\n{card}")


def _nz(options: argparse.Namespace) -> None:
    from crossz.apply.nz import write_nz

    if (options.columns or options.units) and not options.training:
        options.error("--columns and --units are of the magnitudes that --training compares")
    draw = None
    if options.training:
        from crossz.apply.coverage import compared

        draw = compared(options.table, options.training, options.columns, options.units)
    written = write_nz(options.table, options.out, options.bins, options.qp)
    if draw is not None:
        written.append(draw(Path(options.out)))
    log.info(", ".join(map(str, written)))


def _models(options: argparse.Namespace) -> None:
    from crossz.apply.listing import listing

    sys.stdout.write(listing())


def _predict(options: argparse.Namespace) -> None:
    from crossz.apply import bundle_folder

    paths = [path for path in (options.targets, options.out) if path is not None]
    if options.at is None and len(paths) != 2:
        options.error("the following arguments are required: TARGETS and OUT, or --at")
    if options.at is not None and options.pdf == "qp":
        options.error("--pdf qp is for tables: --at takes mixture, grid or none")
    if options.at is not None and (len(paths) == 2 or options.cutouts):
        options.error("--at is one object of the archive: it takes neither a table of targets nor --cutouts")
    if paths:
        check_paths(None if options.at else Path(paths[0]), paths[-1])
    with bundle_folder.opened(options.bundle) as folder:
        if options.at:
            _predict_at(options, folder, paths[0] if paths else None)
        else:
            _predict_table(options, folder, Path(paths[0]), paths[1])


def _predict_table(options: argparse.Namespace, folder: Path, path: Path, out: str) -> None:
    from crossz.apply import bundle_folder

    begin = time.monotonic()
    page = _page(options, out)
    facts = bundle_folder.check(folder)
    classes = _classes(options)
    with _targets(path, options, facts, classes) as targets:
        from crossz.apply.page_sample import Sample
        from crossz.apply.stream import write_estimates
        from crossz.apply.user_images import finding

        sample = None if page is None else Sample()
        with contextlib.ExitStack() as stack:
            find = qp = None
            if options.cutouts:
                if not facts["images"]:
                    log.warning(f"{options.bundle} sees no images: --cutouts changes no estimate")
                has_ids = "objID" in targets.how.columns
                find = stack.enter_context(finding(options.cutouts, targets.count, has_ids, str(path)))
            bundle = _loaded(options, folder, facts)
            header = _header(facts, folder, classes)
            if options.pdf == "qp":
                from crossz.apply import qp_pdfs

                qp = stack.enter_context(qp_pdfs.opened(Path(out).with_suffix(".hdf5"), targets.count()))
            how: Any = {"find": find, "folder": is_folder(out), "pdf": options.pdf, "sample": sample, "qp": qp}
            how["classes"] = None if classes is None else classes[0]
            summary = write_estimates(targets, Path(out), bundle, header, **how)
    if page is not None and sample is not None:
        from crossz.apply.html_page import write_page

        write_page(sample, header, summary, page, Path(out).name)
    log.info(f"{out}: {summary}; {time.monotonic() - begin:.1f} s")
    if page is not None:
        log.info(f"{page}: the same as a page for a browser")


def _page(options: argparse.Namespace, out: str) -> Path | None:
    """The HTML page to write beside the table; None without one."""
    if options.no_page:
        return None
    from crossz.apply.html_page import page_beside

    return page_beside(out)


def _predict_at(options: argparse.Namespace, folder: Path, out: str | None) -> None:
    """The estimate of one object of the archive, in words, and as a table if there is an `out`."""
    from crossz.apply import bundle_folder

    facts = bundle_folder.check(folder)

    from crossz.apply.at import in_words, target_at, write_at
    from crossz.apply.predict import predict

    page = None if out is None else _page(options, out)
    target = target_at(options.at)
    classes = _classes(options)
    beside = None if classes is None else classes[0]
    table = predict(target, _loaded(options, folder, facts), classes=beside)
    header = _header(facts, folder, classes)
    if out is not None:
        write_at(options.at, table, header, out, page, form=options.pdf, folder=is_folder(out))
    sys.stdout.write(f"{in_words(table.iloc[0])}\n")


def _loaded(options: argparse.Namespace, folder: Path, facts: Mapping[str, Any]) -> "Bundle":
    from crossz.apply.bundle import load_bundle
    from crossz.models.device import deterministic

    deterministic(options.threads)
    bundle = load_bundle(folder)
    seen = facts.get("domain", {}).get("objects", 0)
    log.info(f"{options.bundle}: {len(bundle.splits)} splits, which together have seen {seen:,} objects in training")
    log.debug(f"{bundle!r}")
    return bundle


def _classes(options: argparse.Namespace) -> "tuple[Bundle, str] | None":
    """The bundle of classes and its fingerprint; None without one."""
    if options.classes is None:
        return None
    from crossz.apply.classes import loaded

    return loaded(options.classes)


def _header(facts: Mapping[str, Any], folder: Path, classes: "tuple[Bundle, str] | None") -> dict[str, str]:
    """What the answer says of its making; a warning in it is said here, too."""
    from crossz.apply.answer import header_of
    from crossz.apply.bundle_folder import fingerprint

    header = header_of(facts, fingerprint(folder))
    if classes is not None:
        from crossz.apply.classes import with_classes_said

        header = with_classes_said(header, *classes)
    if "warning" in header:
        log.warning(header["warning"])
    return header


def _needed(facts: Mapping[str, Any]) -> list[str]:
    """The columns that a bundle needs, without its networks: the same as `Bundle.columns`."""
    from crossz.apply.bundle_folder import FACTS, table_columns

    try:
        return table_columns(facts["magnitudes"], facts.get("columns", ()))
    except (KeyError, TypeError) as error:
        raise CrosszError(f"{FACTS}: incomplete ({error!r}); get the bundle again") from error


@contextlib.contextmanager
def _targets(
    path: Path, options: argparse.Namespace, facts: Mapping[str, Any], classes: "tuple[Bundle, str] | None"
) -> "Iterator[UserBatches]":
    """The table of targets, with the columns that all networks need."""
    from crossz.catalog.batches import user_batches
    from crossz.catalog.columns import COLUMNS

    needed, extra_columns = _needed(facts), facts.get("columns", ())
    if classes is not None:
        needed = [*dict.fromkeys([*needed, *classes[0].columns])]
        extra_columns = [*dict.fromkeys([*extra_columns, *classes[0].splits[0].info.columns])]
    columns = column_pairs(options.columns, {*COLUMNS, *extra_columns})
    needed = [] if options.cutouts else needed
    with user_batches(path, needed, columns, extra_columns, options.units) as targets:
        yield targets


def _threads(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{number} is none of 1 to {_MOST_THREADS}")
    return number
