"""What reads foreign bytes: honest examples, and what must hold of all that is accepted."""

import bz2
import contextlib
import io
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import bundles
import joblib
import numpy as np
import pyarrow.parquet as pq
import toy
import toy_frames
from astropy.table import Table
from helpers import ORDERS, archive

from crossz.apply import bundle_folder, cli
from crossz.archive import reply, xmatch
from crossz.archive.http import Client, limits
from crossz.archive.responses import Denied, Missing, Unranged
from crossz.catalog.header import columns_of
from crossz.catalog.objects import write_catalog
from crossz.catalog.raw import write_user_catalog
from crossz.core.errors import CrosszError, Refused
from crossz.core.surveys import SURVEYS
from crossz.estimates import forest
from crossz.images.mat import read_mat
from crossz.models import growing
from crossz.sdss import bz2_blocks, frames, spectra
from crossz.sky import fits

REFUSALS = (CrosszError, Refused, Missing, Denied, Unranged)
"""What a reader may raise."""
_STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND")


class Target(NamedTuple):
    """A reader of foreign bytes: examples that it must know, and `run(bytes)`, which also checks what is accepted."""

    seeds: list[bytes]
    run: Callable[[bytes], None]


def frame(folder: Path) -> Target:
    """A small frame: the decoded bytes change, and are compressed again."""
    complete = toy_frames.frame_bytes()
    header, end = frames.header_of(complete, toy_frames.FIELD, "r")
    cards = [(card.keyword, card.value) for card in header.cards if card.keyword not in _STRUCTURE]
    seed = fits.primary(np.frombuffer(complete, ">f4", 64 * 48, end).reshape(48, 64), cards)

    def run(data: bytes) -> None:
        found = frames.decode(bz2.compress(data, 1), toy_frames.FIELD, "r")
        assert found.data.shape[0] <= toy_frames.ROWS
        assert found.data.shape[1] <= toy_frames.COLUMNS
        assert np.isfinite(found.wcs.all_pix2world([[0.0, 0.0], [60.0, 40.0]], 0)).all()

    return Target([seed], run)


def compressed(folder: Path) -> Target:
    """A compressed frame, decoded whole and in parts."""

    class File:
        def __init__(self, data: bytes):
            self.data, self.size = data, len(data)

        def __call__(self, start: int, stop: int) -> bytes:
            return self.data[start:stop]

    def run(data: bytes) -> None:
        with contextlib.suppress(*REFUSALS):
            frames.decode(data, toy_frames.FIELD, "r")
        for way in ("prefix", "blocks"):
            with contextlib.suppress(*REFUSALS):
                bz2_blocks.read(File(data), toy_frames.FIELD, "r", lambda _: [(700, 720)], way)

    return Target([bz2.compress(toy_frames.frame_bytes(), 9)], run)


def spectrum(folder: Path) -> Target:
    """The file of a spectrum."""
    rows = np.zeros(200, [("flux", ">f4"), ("loglam", ">f4"), ("ivar", ">f4"), ("and_mask", ">i4")])
    rows["loglam"] = 3.6 + 1e-4 * np.arange(200)
    rows["flux"], rows["ivar"] = 1, 4
    seed = fits.primary(None, [("PLATEID", 266), ("MJD", 51630), ("FIBERID", 7)]) + fits.table(rows, "COADD")

    def run(data: bytes) -> None:
        found = spectra.check(data, 266, 51630, 7)
        assert np.isfinite(found.flux).all()
        assert (found.ivar >= 0).all()

    return Target([seed], run)


def answer(folder: Path) -> Target:
    """An answer of a SQL service."""
    rows = b"#Table1\nobjID,z\n1237648720693755918,1.5\n1237648720693755919,\n"
    seeds = [
        rows,
        b"objID,z\n",
        b'error_message\n"not a select"\n',
        b'{"ErrorMessage": "deadlocked"}',
        b"<html>busy</html>",
    ]

    def run(data: bytes) -> None:
        table = reply.table(data, ("objID", "z"))
        assert table.column_names == ["objID", "z"]
        for make in (reply.number, reply.bins) if len(table) else ():
            with contextlib.suppress(*REFUSALS):
                make(table)

    return Target(seeds, run)


def sources(folder: Path) -> Target:
    """An answer of CDS XMatch."""
    survey, place = SURVEYS["galex"], np.array([150.0, 151.0])
    names = ["angDist", "asked", "asked_ra", "asked_dec", *survey.position, *survey.columns.values()]
    fields = "".join(f'<FIELD name="{name}" datatype="double"/>' for name in names)
    row = "".join(f"<TD>{cell}</TD>" for cell in (0, 1, 151.0, 2.0, 151.0, 2.0, "", "", 20.5, 0.1))
    table = f'<TABLE nrows="1">{fields}<DATA><TABLEDATA><TR>{row}</TR></TABLEDATA></DATA></TABLE>'
    status = '<INFO name="QUERY_STATUS" value="{}">some words</INFO>'
    document = '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.3"><RESOURCE>{}</RESOURCE></VOTABLE>\n'
    seeds = [table, table + status.format("OK"), table + status.format("OVERFLOW"), status.format("ERROR")]

    def run(data: bytes) -> None:
        found = xmatch.checked(data, survey, place, np.array([2.0, 2.0]), 3.0)
        assert found["number"].isin([0, 1]).all()
        assert found["ra"].between(0, 360).all()
        assert not np.isinf(found.to_numpy(float)).any()

    return Target([document.format(seed).encode() for seed in seeds], run)


def response(folder: Path) -> Target:
    """All that an HTTP server sends, the status line and headers too."""
    sent = [b""]
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/a"
    patience = limits(archive(url, timeout_s=0.2, deadline_s=0.5, attempts=1, pause_s=0.01))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(sent[0])

    threading.Thread(target=serve, daemon=True).start()

    def run(data: bytes) -> None:
        sent[0] = data
        for span in (None, (0, 5)):
            with Client(patience) as client, contextlib.suppress(*REFUSALS):
                body = client.fetch([url], "a file", lambda found: found.body, "Rerun later", once=True, span=span)
                assert span is None or len(body) == 5

    def said(status: str, body: bytes, *headers: str) -> bytes:
        lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "Connection: close", "", "")
        return "\r\n".join(lines).encode() + body

    seeds = [
        said("200 OK", b"hello", "ETag: 1"),
        said("206 Partial Content", b"hello", "Content-Range: bytes 0-4/9"),
        said("503 Busy", b'{"ErrorMessage": "no"}', "Retry-After: 1"),
        said("302 Found", b"", "Location: http://127.0.0.1:9/"),
    ]
    return Target(seeds, run)


def mat(folder: Path) -> Target:
    """A cutout of the authors."""
    buffer = io.BytesIO()
    joblib.dump(np.ones((5, 64, 64), np.float32), buffer)

    def run(data: bytes) -> None:
        (folder / "1_2.0_0.001.mat").write_bytes(data)
        assert np.isfinite(read_mat(folder / "1_2.0_0.001.mat")).all()

    return Target([buffer.getvalue()], run)


def table(folder: Path, suffix: str) -> Target:
    """A user's table: as a catalog to train on, and as targets."""
    rows = toy.rows(**toy.catalog(30)).assign(ra=150 + np.arange(30) / 100, dec=2.0)
    survey = toy.write(folder / "survey", n=60)
    bundle = bundles.exported(survey, bundles.trained(survey, folder), folder / "bundle")
    path = folder / f"t{suffix}"
    if suffix == ".csv":
        rows.to_csv(path, index=False)
    elif suffix == ".parquet":
        rows.to_parquet(path, index=False)
    else:
        written = rows.astype({"specObjID": str})  # VOTable has no unsigned 64-bit integer
        Table.from_pandas(written).write(path, format={".fits": "fits", ".vot": "votable"}[suffix])
    seed = path.read_bytes()

    def catalog() -> None:
        write_user_catalog(source=path, raw=folder / "raw", receipt=folder / "receipt", columns={})
        write_catalog(raw=folder / "raw", catalog=folder / "catalog", counts=folder / "counts", radius_arcsec=2.0)
        found = pq.read_table(folder / "catalog").to_pandas()
        assert found["ra"].between(0, 360).all()
        assert found["dec"].between(-90, 90).all()
        assert found["z"].between(-0.1, 20).all()
        assert (found["objID"] > 0).all()

    def run(data: bytes) -> None:
        path.write_bytes(data)
        for read in (lambda: columns_of(path), catalog, lambda: called("predict", bundle, path, folder / "out.csv")):
            with contextlib.suppress(*REFUSALS):
                read()

    return Target([seed], run)


def bundle(folder: Path) -> Target:
    """A bundle: one of its files changes, and the checksums are forged to agree."""
    survey = toy.write(folder / "survey", n=60)
    honest = bundles.exported(survey, bundles.trained(survey, folder), folder / "honest")
    names = sorted(path.name for path in honest.iterdir() if path.name != bundle_folder.SUMS)
    targets = folder / "targets.csv"
    toy.catalog(5).to_csv(targets, index=False)
    forged = folder / "forged"

    def run(data: bytes) -> None:
        number, content = data[0] % len(names), data[1:]
        shutil.rmtree(forged, ignore_errors=True)
        shutil.copytree(honest, forged)
        (forged / names[number]).write_bytes(content)
        bundles.forge(forged)
        called("info", forged)
        called("predict", forged, targets, folder / "out.csv")

    return Target([bytes([number]) + (honest / name).read_bytes() for number, name in enumerate(names)], run)


def trees(folder: Path) -> Target:
    """The trees of a stack: whatever is accepted gives each object a PDF."""
    rng = np.random.default_rng(0)
    features = rng.normal(19, 1, (60, 19))
    path = folder / "trees.safetensors"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        mixture = forest.pdfs(forest.loaded(path), features)
        assert mixture.weight.shape == (60, forest.COMPONENTS)
        np.testing.assert_allclose(mixture.weight.sum(1), 1)

    return Target([forest.to_bytes(growing.grow(features, features[:, 0] / 20, 0))], run)


def called(*words: object) -> None:
    """Run the command line; an exit with one message is as good as a success."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            cli.main([str(word) for word in words])
        except SystemExit as end:
            assert isinstance(end.code, str)  # noqa: PT017
            shown.write(end.code)
    assert "Traceback" not in shown.getvalue()
    assert not set(shown.getvalue()) & ORDERS


TARGETS: dict[str, Callable[[Path], Target]] = {
    "frame": frame,
    "compressed": compressed,
    "spectrum": spectrum,
    "answer": answer,
    "sources": sources,
    "response": response,
    "mat": mat,
    "csv": lambda folder: table(folder, ".csv"),
    "fits": lambda folder: table(folder, ".fits"),
    "votable": lambda folder: table(folder, ".vot"),
    "parquet": lambda folder: table(folder, ".parquet"),
    "bundle": bundle,
    "trees": trees,
}
