"""Real SDSS frames and catalogs, where they lie beside the project; nothing of them is part of it."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import aperture, archive, centroid
from local_archive import serve

from crossz.archive import sas
from crossz.catalog.columns import conform
from crossz.catalog.lists import read_table
from crossz.catalog.objects import dedupe, groups
from crossz.core.constants import BANDS
from crossz.core.errors import Refused
from crossz.images import cutouts, mat, stamps
from crossz.images.arrow import to_nmgy, to_units
from crossz.sdss import bz2_blocks, spectra
from crossz.sdss.frames import FieldID, decode, frame_path, read_frame


class Source:
    """The bytes of a file, and how many were asked for."""

    def __init__(self, body):
        self._body, self.size, self.asked = body, len(body), 0

    def __call__(self, start, stop):
        self.asked += len(self._body[start:stop])
        return self._body[start:stop]


def cut_object(sdss, field, ra, dec, method, edges="neighbour"):
    plan = pd.DataFrame([(1, *field, ra, dec)], columns=["objID", *FieldID._fields, "ra", "dec"])
    ((_, (one,)),) = stamps.stamps_of_plan(plan, sas.Frames([], "unused", sas.Place(sdss / "sas", None, False)), edges)
    return one, *cutouts.aligned(one.image, one.offset, one.mask, method)


@pytest.mark.parametrize("method", ["fourier", "reproject"])
def test_J001436_153929_is_centred_in_all_bands(sdss, method):
    one, image, mask = cut_object(sdss, FieldID(301, 1043, 5, 25), 3.651375, 15.658222, method)
    assert one.status == "ok"
    assert not mask.any()
    x, y = 32 + one.offset[2]
    for band in range(5):
        assert np.hypot(*np.subtract(centroid(image[band], x, y), (x, y))) < 0.3, BANDS[band]
    r_mag = 22.5 - 2.5 * np.log10(aperture(image[2], x, y, 7.5))
    assert r_mag == pytest.approx(18.722, abs=0.2)


def test_J151842_424934_near_a_column_edge_is_masked_there_and_keeps_its_flux(sdss):
    one, image, mask = cut_object(sdss, FieldID(301, 3918, 3, 213), 229.678542, 42.826139, "fourier")
    assert one.status == "ok"
    x, y = 32 + one.offset[2]
    covered = 2048 - (2021 - 32)  # columns of r that exist right of the cutout's left edge
    assert ((mask[:, :covered] >> 2) & 1 == 0).all()
    assert ((mask[:, covered:] >> 2) & 1 == 1).all()
    assert 22.5 - 2.5 * np.log10(aperture(image[2], x, y, 7.5)) == pytest.approx(19.233, abs=0.2)
    assert cut_object(sdss, FieldID(301, 3918, 3, 213), 229.678542, 42.826139, "fourier", "drop")[0].status == "edge"


def test_a_row_edge_is_filled_from_the_adjacent_field_in_g(sdss):
    lower, upper = FieldID(301, 3565, 1, 58), FieldID(301, 3565, 1, 59)
    frames = [read_frame(frame_path(sdss / "sas", field, "g"), field, "g") for field in (lower, upper)]
    ra, dec = frames[0].wcs.wcs_pix2world(1000.0, 1470.0, 0)  # 18 px below the upper edge of field 58
    g = BANDS.index("g")
    bands = [[lambda: None]] * len(BANDS)
    bands[g] = [lambda: frames[0], lambda: None, lambda: frames[1]]
    filled = stamps.stamp(bands, float(ra), float(dec), "neighbour")
    bands[g] = [lambda: frames[0]]
    alone = stamps.stamp(bands, float(ra), float(dec), "neighbour")
    covered = (alone.mask >> g) & 1 == 0
    assert filled.neighbour
    assert not ((filled.mask >> g) & 1).any()
    assert covered.mean() < 0.8
    both = np.corrcoef(filled.image[g][covered], alone.image[g][covered])[0, 1]
    assert both > 0.99  # 0 if the neighbour were cut one pixel off: this is sky noise


def test_native_pixels_of_real_frames_are_float16_exact(sdss):
    for band in BANDS:
        field = FieldID(301, 1043, 5, 25)
        frame = read_frame(frame_path(sdss / "sas", field, band), field, band)
        units, clipped = to_units(frame.data)
        assert clipped == 0
        assert (to_nmgy(units) == frame.data).mean() > 0.9997


def test_the_authors_catalog_dedupes_to_1264_with_groups_of_one_quasar(sdss):
    source = sdss / "cutouts/catalog.csv"
    rows = conform(read_table(source, {}), str(source)).to_pandas()
    unique, counts = dedupe(rows)
    assert (counts["rows"], counts["dropped_repeated_objID"], counts["objects"]) == (1329, 65, 1264)
    nobody = np.full(len(unique), -1)
    group = groups(*(unique[name].to_numpy() for name in ("ra", "dec")), nobody, unique.objID.to_numpy(), 1.0)
    assert len(np.unique(group)) < 1264


def test_every_published_cutout_is_read_and_float16_exact(sdss):
    files = mat.cutouts_by_spectrum(sdss / "cutouts/mat")
    assert len(files) == 1329
    for path in list(files.values())[::50]:
        image = mat.read_mat(path)
        assert (to_nmgy(to_units(image)[0]) == image).mean() > 0.999


def test_real_frames_and_spectra_come_through_the_archive_s_checks(sdss, tmp_path):
    field = FieldID(301, 1043, 5, 25)
    paths = sorted((sdss / "spectra").glob("spec-*.fits"))
    assert len(paths) == 18
    for path in paths:
        plate, mjd, fiber = map(int, path.stem.split("-")[1:])
        body = path.read_bytes()
        spectra.check(body, plate, mjd, fiber)
        with pytest.raises(Refused):
            spectra.check(body[:-2880], plate, mjd, fiber)
        with pytest.raises(Refused):
            spectra.check(body, plate, mjd, fiber + 1)
    with serve(None, [sdss / "sas"]) as server:
        place = sas.Place(tmp_path, archive(server.url), True)
        with sas.Frames([field], tmp_path, place) as frames:
            frames.fetch_all()
        assert len(server.hits) == 5
    for band in BANDS:
        assert frame_path(tmp_path, field, band).read_bytes() == frame_path(sdss / "sas", field, band).read_bytes()


def test_rows_out_of_blocks_are_those_of_the_whole_file_on_every_real_frame(sdss):
    """A sixth of the rows of every frame out of `blocks`, other rows in other bands; and one prefix each. Less than 30 % of the bytes."""
    shares = []
    for number, path in enumerate(sorted((sdss / "sas").rglob("frame-*.bz2"))):
        _, band, run, camcol, name = re.split(r"[-.]", path.name)[:5]
        field, body = FieldID(301, int(run), int(camcol), int(name)), path.read_bytes()
        data = decode(body, field, band).data
        source = Source(body)
        spans = [(a, a + 80) for a in range(-(number * 7 % 80), 1489, 80)]
        for span in spans[number % 6 :: 6]:
            source.asked = 0
            part = bz2_blocks.read(source, field, band, lambda frame, span=span: [span], "blocks")
            a, b = max(span[0], 0), min(span[1], 1489)
            assert part.frame.data[a:b].tobytes() == data[a:b].tobytes(), (path.name, span)
            shares.append(source.asked / len(body))
        span = spans[number % len(spans)]
        part = bz2_blocks.read(Source(body), field, band, lambda frame, span=span: [span], "prefix")
        known = part.frame.known
        assert part.frame.data[known].tobytes() == data[known].tobytes()
    assert np.mean(shares) < 0.30
