"""Targets: a user's positions and objIDs, matched with the archive, every row back with what became of it."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from helpers import archive, impatient
from hypothesis import given, settings
from hypothesis import strategies as st
from local_archive import Fault, serve

from crossz.archive import crossid, embedded, embedded_crossid
from crossz.archive.http import Client, Damaged, limits
from crossz.archive.skyserver import SkyServer
from crossz.catalog import plan, targets
from crossz.catalog.lists import read_table
from crossz.core.errors import CrosszError
from crossz.sdss.coordinates import separation_arcsec

RADIUS = 2.0


@pytest.fixture(scope="module")
def objects(small_sky):
    names = ", ".join(("mode", *targets.COLUMNS))
    return embedded.query(f"SELECT {names} FROM PhotoObjAll", small_sky / "sky.sqlite", "all").to_pandas()


@pytest.fixture(scope="module")
def finder(small_sky):
    return embedded_crossid.finder(small_sky / "sky.sqlite")


@pytest.fixture
def server(small_sky):
    with serve(small_sky / "sky.sqlite", []) as running:
        yield running


def near(objects, count, seed=0):
    """Positions within 1" of `count` primary objects, and these objects."""
    rng = np.random.default_rng(seed)
    some = objects[objects["mode"] == 1].sample(count, random_state=seed).reset_index(drop=True)
    angle, away = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, 1 / 3600, count)
    ra = (some["ra"] + away * np.cos(angle) / np.cos(np.radians(some["dec"]))) % 360
    return pd.DataFrame({"ra": ra, "dec": some["dec"] + away * np.sin(angle)}), some, away * 3600


def test_positions_get_their_object_its_photometry_and_the_angle_between(objects, finder):
    table, some, away = near(objects, 40)
    found = targets.matched(table, finder, RADIUS)
    assert found["row"].tolist() == list(range(40))
    assert (found["status"] == "ok").all()
    assert found["objID"].tolist() == some["objID"].tolist()
    assert found["separation_arcsec"].to_numpy() == pytest.approx(away, abs=1e-6)
    for name in ("psfMag_r", "dered_u", "field"):
        assert found[name].to_numpy() == pytest.approx(some[name].to_numpy(float), nan_ok=True)
    assert (found["ra"] == table["ra"]).all()  # the user's own position stays


def test_every_row_comes_back_in_order_with_what_is_wrong_with_it(objects, finder):
    table, some, _ = near(objects, 5)
    rows = table.astype(object)
    rows.loc[5] = [str(table["ra"][0]), f" {table['dec'][0]} "]  # the first again, as text
    rows.loc[6] = ["00:08:05.63", 1.0]
    rows.loc[7] = [None, 1.0]
    rows.loc[8] = [10.0, 95.0]
    rows.loc[9] = [-1.0, 0.0]
    rows.loc[10] = [table["ra"][1], "nan"]
    rows.loc[11] = [(some["ra"][0] + 180) % 360, 80.0]  # nothing is there
    order = np.random.default_rng(1).permutation(12)
    found = targets.matched(rows.iloc[order].reset_index(drop=True), finder, RADIUS)
    assert found["row"].tolist() == list(range(12))
    by_old = found.iloc[np.argsort(order)].reset_index(drop=True)
    assert by_old["status"].tolist() == ["ok"] * 6 + ["malformed"] * 5 + ["no_match"]
    for row, words in {
        6: "ra '00:08:05.63' is not 0 to 360 degrees",
        7: "ra is missing",
        8: "dec '95",
        9: "ra '-1",
        10: "dec is missing",
    }.items():
        assert words in by_old["why"][row]
    assert "no primary object within 2 arcsec" in by_old["why"][11]
    same = found[found["objID"] == some["objID"][0]]
    assert same["duplicate_of"].isna().tolist() == [True, False]
    assert same["duplicate_of"].iloc[1] == same["row"].iloc[0]
    assert found["duplicate_of"].notna().sum() == 1


def test_an_objID_finds_its_object_a_second_detection_too_and_goes_before_a_position(objects, finder):
    second = objects[objects["mode"] == 2].astype(object).iloc[0]  # as floats, ids would lose digits
    table = pd.DataFrame(
        {
            "objID": [str(second["objID"]), "1237", "12.5", None, "9" * 19],
            "ra": [0.0, None, None, second["ra"], None],
            "dec": [0.0, None, None, second["dec"], None],
        }
    )
    found = targets.matched(table, finder, RADIUS)
    assert found["status"].tolist()[:3] == ["ok", "no_match", "malformed"]
    assert found["objID"][0] == second["objID"]
    assert found["why"][1] == "no object has this objID"
    assert "no 64-bit integer" in found["why"][2]
    assert "no 64-bit integer" in found["why"][4]
    assert (
        found["status"][3] == "no_match" or found["objID"][3] != second["objID"]
    )  # positions find primary objects alone


def test_among_several_objects_the_nearest_counts():
    place = pd.DataFrame(dict.fromkeys(targets.COLUMNS, 0.0), index=range(3)).astype({"objID": int})
    place = place.assign(objID=[3, 1, 2], mode=[1, 1, 2], ra=[10.0, 10.0003, 10.0001], dec=0.0)
    found = targets.matched(pd.DataFrame({"ra": [10.0002], "dec": [0.0]}), targets.finder_of(place), RADIUS)
    assert found["objID"].tolist() == [1]  # 0.36" away; 3 is 0.72" away, and 2 is no primary object


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 359.999), st.floats(-90, 90)), min_size=1, max_size=8), st.floats(1, 60))
def test_any_positions_find_what_comparing_with_every_object_finds(places, radius):
    rng = np.random.default_rng(len(places))
    ra, dec = np.array(places).T
    objects = pd.DataFrame({name: np.zeros(60) for name in targets.COLUMNS}).assign(mode=1, objID=np.arange(60))
    pick = rng.integers(len(ra), size=60)
    objects["dec"] = np.clip(dec[pick] + rng.normal(0, 20 / 3600, 60), -90, 90)
    objects["ra"] = (ra[pick] + rng.normal(0, 20 / 3600, 60)) % 360
    found = targets.matched(pd.DataFrame({"ra": ra, "dec": dec}), targets.finder_of(objects), radius)
    for row in range(len(ra)):
        away = separation_arcsec(np.full(60, ra[row]), np.full(60, dec[row]), objects["ra"], objects["dec"])
        if abs(away.min() - radius) > 1e-3:
            assert (found["status"][row] == "ok") == (away.min() < radius)
        if found["status"][row] == "ok":
            assert found["separation_arcsec"][row] == pytest.approx(away.min(), abs=1e-4)


def test_the_service_finds_what_the_embedded_sky_finds_batch_by_batch(server, objects, finder, monkeypatch):
    monkeypatch.setattr(crossid, "BATCH", 7)
    monkeypatch.setattr(crossid, "IDS", 7)
    table, _, _ = near(objects, 20)
    table.loc[20] = [123.0, -80.0]
    named = pd.DataFrame({"objID": [*objects["objID"].tail(9).astype(str), "17"]})
    with Client(limits(archive(server.url))) as client:
        service = crossid.finder(SkyServer(client, archive(server.url)))
        for asked in (table, named):
            found = targets.matched(asked, service, RADIUS)
            pd.testing.assert_frame_equal(found, targets.matched(asked, finder, RADIUS), check_dtype=False, rtol=1e-12)
    assert len(server.hits) == 3 + 2


@pytest.mark.parametrize(
    "kind",
    ["html200", "drop_rows", "short_row", "cut_row", "rename_column", "503", "skyserver_error_html", "error_message"],
)
def test_an_answer_that_is_none_is_asked_for_again_and_then_refused(server, objects, finder, kind):
    table, _, _ = near(objects, 6)
    words = "ERROR: Maximum 60 queries allowed per minute." if kind == "error_message" else None
    with Client(limits(archive(server.url))) as client:
        server.faults.append(Fault("X_Results", kind, 1, words))
        found = targets.matched(table, crossid.finder(SkyServer(client, archive(server.url))), RADIUS)
        pd.testing.assert_frame_equal(found, targets.matched(table, finder, RADIUS), check_dtype=False, rtol=1e-12)
    server.faults.append(Fault("X_Results", kind, None, words))
    with Client(limits(impatient(server.url))) as client:
        with pytest.raises(CrosszError, match="targets 1 to 6 of 6"):
            targets.matched(table, crossid.finder(SkyServer(client, impatient(server.url))), RADIUS)


def test_an_object_far_from_its_target_is_no_answer(server, objects):
    table, _, _ = near(objects, 3)
    with Client(limits(archive(server.url))) as client:
        ask = client.fetch
        client.fetch = lambda *asked, data, **more: ask(*asked, data=data | {"radius": 2 / 60}, **more)
        near_service = crossid.finder(
            SkyServer(client, archive(server.url))
        ).near  # of a server that takes 2 arcsec for 0.01
        with pytest.raises(Damaged, match=r"beyond the 0\.01 asked for"):
            near_service(table["ra"].to_numpy(), table["dec"].to_numpy(), 0.01)


def test_a_radius_beyond_the_service_s_is_refused_before_it_is_asked(server):
    with Client(limits(archive(server.url))) as client, pytest.raises(CrosszError, match="SkyServer allows 180"):
        crossid.finder(SkyServer(client, archive(server.url))).near(np.array([1.0]), np.array([1.0]), 200.0)
    assert not server.hits


@pytest.mark.parametrize(
    ("suffix", "kind"), [("csv", "ascii.csv"), ("fits", "fits"), ("vot", "votable"), ("parquet", "parquet")]
)
def test_tables_of_any_kind_are_read_alike(tmp_path, suffix, kind):
    rows = pd.DataFrame(
        {
            "RAJ2000": [10.123456789012, 11.0],
            "DEJ2000": [-1.5, 2.0],
            "objID": [1237648721234567890, 1237648721234567891],
        }
    )
    path = tmp_path / f"mine.{suffix}"
    if kind == "parquet":
        rows.to_parquet(path)
    else:
        Table.from_pandas(rows).write(path, format=kind)
    mapped = {"ra": "RAJ2000", "dec": "DEJ2000"}
    found = targets.checked(read_table(path, mapped).to_pandas())
    assert found["objID"].tolist() == rows["objID"].tolist()
    assert found["ra"].tolist() == pytest.approx(rows["RAJ2000"].tolist(), abs=1e-12)


def write_matched(table, finder, folder):
    written = {name: folder / f"{name}.parquet" for name in ("targets", "catalog")}
    targets.write_matched(table=table, **written, columns={}, radius_arcsec=RADIUS, finder=finder)


def test_the_plan_of_cutouts_has_each_object_once(tmp_path, objects, finder):
    table, some, _ = near(objects, 12)
    table = pd.concat([table, table.head(3), pd.DataFrame({"ra": [1.0, 999.0], "dec": [-85.0, 0.0]})])
    path = tmp_path / "mine.csv"
    table.to_csv(path, index=False)
    write_matched(path, finder, tmp_path)
    found = pq.read_table(tmp_path / "catalog.parquet").to_pandas()
    assert sorted(found["objID"]) == sorted(some["objID"])
    assert (
        found.set_index("objID")["ra"].loc[some["objID"]].tolist() == some["ra"].tolist()
    )  # the object's place is cut, not the target's
    shards = [tmp_path / f"{number}.parquet" for number in range(3)]
    plan.write_plan(catalogs=[tmp_path / "catalog.parquet"], shards=shards, needs_fields=True)
    assert sum(len(pq.read_table(path)) for path in shards) == 12
    assert len(pd.read_parquet(tmp_path / "targets.parquet")) == 17

    path.write_text("ra,dec\n1,-85\n")  # no object at all: empty shards, no error
    write_matched(path, finder, tmp_path)
    plan.write_plan(catalogs=[tmp_path / "catalog.parquet"], shards=shards, needs_fields=True)
    assert sum(len(pq.read_table(path)) for path in shards) == 0
