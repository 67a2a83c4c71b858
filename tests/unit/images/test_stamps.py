"""Stamps whose every pixel has an address."""

import json
import weakref

import numpy as np
import pandas as pd
import pytest
from toy_images import FIELD, STEP, image_of, sky, wcs_of, write_frame

from crossz.archive import sas
from crossz.core.constants import BANDS
from crossz.images import stamps
from crossz.images.arrow import read_arrays
from crossz.sdss.frames import FieldID, Frame, decode


def candidates(fields=(0,), drop=()):
    def frame(band, field):
        return None if (BANDS[band], field) in drop else Frame(image_of(band, field), wcs_of(field))

    return [[lambda b=band, f=field: frame(b, f) for field in fields] for band in range(5)]


def test_a_stamp_holds_the_native_pixels_around_the_object():
    x, y = 120.3, 150.8
    one = stamps.stamp(candidates(), *sky(x, y), "neighbour")
    assert one.status == "ok"
    assert not one.mask.any()
    assert not one.neighbour
    np.testing.assert_allclose(one.offset, [[0.3, -0.2]] * 5, atol=1e-5)
    for band in range(5):
        np.testing.assert_array_equal(one.image[band], image_of(band)[151 - 40 : 151 + 40, 120 - 40 : 120 + 40])


def test_each_band_is_cut_where_its_own_wcs_says():
    shifted = [[lambda b=b: Frame(image_of(b), wcs_of(dx=0.7 * b, dy=-1.2 * b))] for b in range(5)]
    one = stamps.stamp(shifted, *sky(120.0, 150.0), "neighbour")
    for band in range(5):
        x, y = 120 + 0.7 * band, 150 - 1.2 * band
        assert one.image[band, 40, 40] == image_of(band)[round(y), round(x)]
        np.testing.assert_allclose(one.offset[band], [x - round(x), y - round(y)], atol=1e-5)


def test_a_row_edge_is_filled_from_the_neighbour_field():
    ra, dec = sky(120.0, STEP + 120.0)  # row 292 of 300: 32 rows missing
    alone = stamps.stamp(candidates((0,)), ra, dec, "neighbour")
    assert (alone.mask == 31)[48:].all()
    assert not alone.mask[:48].any()
    filled = stamps.stamp(candidates((0, -1, 1)), ra, dec, "neighbour")
    assert filled.neighbour
    assert not filled.mask.any()
    np.testing.assert_array_equal(filled.image[0, :48], alone.image[0, :48])
    np.testing.assert_array_equal(filled.image[0, :, 40], 1000 * np.arange(STEP + 80, STEP + 160) + 120.0)


def test_edges_can_be_masked_or_lose_the_object():
    ra, dec = sky(10.0, 150.0)
    masked = stamps.stamp(candidates((0, -1, 1)), ra, dec, "mask")
    assert masked.status == "ok"
    assert (masked.mask[:, :30] == 31).all()
    assert not masked.mask[:, 30:].any()
    assert not masked.image[:, :, :30].any()
    assert stamps.stamp(candidates(), ra, dec, "drop").status == "edge"
    assert stamps.stamp(candidates(), *sky(35.0, 150.0), "drop").status == "ok"  # 64 x 64 is whole, 80 x 80 is not


def test_a_missing_band_and_a_place_outside_are_said():
    lacking = stamps.stamp(candidates(drop=[("z", 0)]), *sky(120.0, 150.0), "neighbour")
    assert lacking.status == "missing_frame"
    assert (lacking.mask == 1 << 4).all()
    outside = stamps.stamp(candidates(), *sky(-20.0, 150.0), "neighbour")
    assert outside.status == "outside_frame"
    far = stamps.stamp(candidates(), *sky(-2000.0, 150.0), "neighbour")
    assert (far.mask == 31).all()


def on_disk(root):
    return sas.Place(root, None, False)


def test_a_shard_accounts_for_every_object_and_is_the_same_bytes_again(tmp_path):
    for band in BANDS:
        write_frame(tmp_path, band=band, data=image_of(BANDS.index(band)) / 1000)
    for band in "ugri":
        write_frame(tmp_path, FIELD._replace(field=26), band)
    positions = [(120, 150, 25), (5, 150, 25), (-50, 150, 25), (120, 150, 26)]
    plan = pd.DataFrame(
        [(i, 301, 1043, 5, field, *sky(x, y)) for i, (x, y, field) in enumerate(positions)],
        columns=["objID", *FieldID._fields, "ra", "dec"],
    )
    plan.to_parquet(tmp_path / "plan.parquet")
    for name in ("a", "b"):
        with sas.shard_frames(tmp_path / "plan.parquet", tmp_path / "cache", on_disk(tmp_path)) as frames:
            written = {"stamps": tmp_path / name, "counts": tmp_path / "counts.json"}
            stamps.write_stamps(plan=tmp_path / "plan.parquet", **written, edges="mask", frames=frames)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["objects"] == sum(counts["status"].values()) == 4
    assert counts["status"] == {"missing_frame": 1, "ok": 2, "outside_frame": 1}
    assert read_arrays(tmp_path / "a")["status"].tolist() == ["ok", "ok", "outside_frame", "missing_frame"]


def test_a_field_is_decoded_once_for_all_its_objects(tmp_path, monkeypatch):
    for band in BANDS:
        write_frame(tmp_path, band=band)
    reads = []

    def counted(content, field, band):
        reads.append(band)
        return decode(content, field, band)

    monkeypatch.setattr(sas, "decode", counted)
    plan = pd.DataFrame(
        [(i, 301, 1043, 5, 25, *sky(100 + i, 150)) for i in range(9)],
        columns=["objID", *FieldID._fields, "ra", "dec"],
    )
    frames = sas.Frames([FIELD], tmp_path / "cache", on_disk(tmp_path))
    assert sum(len(cuts) for _, cuts in stamps.stamps_of_plan(plan, frames, "neighbour")) == 9
    assert sorted(reads) == sorted(BANDS)


class Flat:
    """A WCS of pixels, `y` rows off; it counts how often it is asked."""

    def __init__(self, y=0):
        self._y, self.calls = y, 0

    def wcs_world2pix(self, ra, dec, _):
        self.calls += 1
        return np.float64(ra), np.float64(dec + self._y)


@pytest.mark.parametrize(
    ("x", "y", "others"),
    [(120, 150, set()), (120, 10, {1}), (120, 39, {1}), (120, 40, set()), (120, 260, set()), (120, 261, {2}), (120, 290, {2}),
     (5, 150, set())],  # the last: a column edge, which no neighbour mends
)  # fmt: skip
def test_a_neighbour_is_asked_for_only_where_a_row_edge_cuts(x, y, others):
    asked = []
    data, places = np.zeros((300, 260), ">f4"), [Flat(0), Flat(172), Flat(-172)]

    def frame(number):
        asked.append(number)
        return stamps.Frame(data, places[number])

    near = [[lambda n=number: frame(n) for number in range(3)] for _ in BANDS]
    stamps.stamp(near, float(x), float(y), "neighbour")
    assert set(asked) == {0} | others
    assert sum(place.calls for place in places) == len(asked)


def test_an_object_on_the_other_half_of_the_sky_is_outside():
    ra, dec = sky(120.0, 150.0)
    assert stamps.stamp(candidates(), ra + 180, -dec, "neighbour").status == "outside_frame"


def test_a_frame_without_the_rows_is_asked_for_again_with_all_of_them():
    known = np.zeros(300, bool)
    known[120:200] = True
    asked = []

    def frame(band, all_rows=False):
        asked.append((BANDS[band], all_rows))
        data = image_of(band)
        return Frame(data, wcs_of()) if all_rows else Frame(np.where(known[:, None], data, 0), wcs_of(), known)

    near = [[lambda *, all_rows=False, b=band: frame(b, all_rows)] for band in range(5)]
    for y, again in ((160.0, False), (161.0, True), (159.0, True)):
        asked.clear()
        one = stamps.stamp(near, *sky(120.0, y), "neighbour")
        assert asked == [(band, all_rows) for band in BANDS for all_rows in ([False, True] if again else [False])]
        np.testing.assert_array_equal(one.image[2, :, 40], image_of(2)[int(y) - 40 : int(y) + 40, 120])


def test_a_frame_whose_rows_cannot_be_had_is_missing():
    known = np.zeros(300, bool)
    near = [
        [lambda *, all_rows=False, b=band: None if all_rows else Frame(image_of(b), wcs_of(), known)]
        for band in range(5)
    ]
    assert stamps.stamp(near, *sky(120.0, 150.0), "neighbour").status == "missing_frame"


def test_a_frame_is_had_once_for_all_fields_and_few_are_held():
    """Consecutive fields of one strip, each with objects that both row edges cut."""
    asked, alive = [], []

    def frames(field, band, all_rows=False):
        asked.append((field, band))
        data = image_of(BANDS.index(band), field.field - 25)
        alive.append(weakref.ref(data))
        return Frame(data, wcs_of(field.field - 25))

    places = [(120, 5 + STEP * k, 25 + k) for k in range(5)] + [(120, 295 + STEP * k, 25 + k) for k in range(5)]
    plan = pd.DataFrame(
        [(i, 301, 1043, 5, field, *sky(x, y)) for i, (x, y, field) in enumerate(sorted(places, key=lambda p: p[2]))],
        columns=["objID", *FieldID._fields, "ra", "dec"],
    )
    held = []
    for _, cuts in stamps.stamps_of_plan(plan, frames, "neighbour"):
        assert all(one.status == "ok" and one.neighbour for one in cuts)
        held.append(sum(data() is not None for data in alive))
    assert len(asked) == len(set(asked)) == 7 * 5
    assert max(held) == 15
