"""Columns of differential refraction."""

import numpy as np
import pyarrow as pa
import pytest
from toy import rows

from crossz.catalog import dcr
from crossz.catalog.columns import conform
from crossz.core.errors import CrosszError
from crossz.core.names import DCR
from crossz.sdss.zenith import LATITUDE, hour_angle, zenith

TIME = 51465.3 * 86400.0


def offsets(**changes):
    """Two objects: on the meridian 30 degrees south of the zenith, and 2 hours west of it."""
    meridian = float(hour_angle(0.0, TIME / 86400)) % 360
    columns = {"ra": [meridian, meridian - 30], "dec": [LATITUDE - 30, 20.0], "TAI_r": [TIME, TIME]}
    columns |= {name: [0.0, 0.0] for name in dcr.SOURCES if name != "TAI_r"}
    return pa.table(columns | changes)


def test_an_offset_to_the_north_is_along_the_meridian_and_one_to_the_east_across():
    got = dcr.columns(offsets(offsetDec_u=[0.05, 0.0], offsetRa_g=[0.03, 0.0]))
    assert set(got) == set(DCR)
    assert got["dcr_u"][0].as_py() == pytest.approx(0.05, abs=1e-6)
    assert got["across_u"][0].as_py() == pytest.approx(0, abs=1e-6)
    assert got["dcr_g"][0].as_py() == pytest.approx(0, abs=1e-6)
    assert got["across_g"][0].as_py() == pytest.approx(0.03, abs=1e-6)
    assert got["zenith_tan"][0].as_py() == pytest.approx(np.tan(np.deg2rad(30)), abs=1e-6)


def test_refraction_is_along_wherever_the_object_is():
    table = offsets()
    up = zenith(*(table[name].to_numpy() for name in ("ra", "dec")), TIME / 86400)
    assert up[1, 0] > 0  # west of the meridian, the zenith is to the east
    got = dcr.columns(offsets(offsetRa_u=0.04 * up[:, 0], offsetDec_u=0.04 * up[:, 1]))
    assert got["dcr_u"].to_numpy() == pytest.approx(0.04 * np.linalg.norm(up, axis=1))
    assert got["across_u"].to_numpy() == pytest.approx([0, 0], abs=1e-9)


def test_what_is_not_measured_is_null():
    got = dcr.columns(offsets(offsetRa_u=[-9999.0, 0.0], TAI_r=[TIME, 0.0]))
    assert got["dcr_u"].null_count == 2
    assert got["dcr_g"].null_count == 1
    assert dcr.columns(offsets().drop_columns(["TAI_r"])) == {}


def test_a_query_without_the_offsets_says_what_to_select():
    table = pa.Table.from_pandas(rows(objID=[1, 2, 3]), preserve_index=False)
    with pytest.raises(CrosszError, match=r"dcr_u of photometry.columns: select offsetRa_u, .*TAI_r in the query"):
        conform(table, "a query", DCR)
    for name in dcr.SOURCES:
        table = table.append_column(name, pa.array(np.full(len(table), TIME if name == "TAI_r" else 0.02)))
    got = conform(table, "a query", DCR)
    assert np.hypot(got["dcr_u"].to_numpy(), got["across_u"].to_numpy()) == pytest.approx(0.02 * np.sqrt(2))
    assert conform(got, "the same again", DCR)["dcr_u"] == got["dcr_u"]
