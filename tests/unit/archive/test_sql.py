"""The queries as written run on the embedded service, and reach nothing they should not."""

import sqlite3

import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from crossz.archive import embedded
from crossz.archive.sql import Slice, archive_query, checked_select, count_by_redshift, slice_text, slices
from crossz.core.errors import CrosszError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "sky.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("create table SpecObjAll (specObjID text, bestObjID integer, class text collate nocase, z real)")
    connection.execute("create table PhotoObjAll (objID integer, psfMag_g real)")
    connection.execute("create table secret (word text)")
    connection.execute("insert into SpecObjAll values ('18446744073709551615', 1237654669735362939, 'QSO', 2.5)")
    connection.execute("insert into PhotoObjAll values (1237654669735362939, null)")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("dataset", ["baseline", "extended", "quasars_all", "classes", "galaxies"])
def test_the_projects_queries_are_one_select_and_name_their_table(dataset):
    text = (ROOT / f"workflow/sql/{dataset}.sql").read_text()
    assert f"into mydb.crossz_{dataset}" in text
    sql = checked_select(text, dataset).sql(dialect="sqlite")
    assert "INTO" not in sql.upper()
    assert "zErr > 0" in sql


def test_ids_null_and_case_come_through(database):
    text = """select a.specObjID, b.OBJID as objID, b.psfMag_g into mydb.x
              from dr17.SpecObjAll a join dr17.photoobjall b on a.bestObjID = b.objID where a.class = 'qso'"""
    rows = embedded.query(text, database, "q.sql").to_pylist()
    assert rows == [{"specObjID": "18446744073709551615", "objID": 1237654669735362939, "psfMag_g": None}]


def test_the_full_range_has_quasars_beyond_the_paper_s(small_sky):
    def rows(dataset):
        path = ROOT / f"workflow/sql/{dataset}.sql"
        return embedded.query(path.read_text(), small_sky / "sky.sqlite", dataset).to_pandas()

    every, extended = rows("quasars_all"), rows("extended")
    assert ((every["z"] > 0) & (every["z"] < 7)).all()
    assert (every["z"] < 1).sum() > 3
    faint = extended["psfMag_i"] > 22
    assert set(extended.loc[~faint, "specObjID"]) <= set(every["specObjID"])


def test_tables_of_extra_columns_may_be_read():
    text = """select b.objID, w.w1mpro from dr17.PhotoObjAll b
              left join dr17.wise_xmatch x on x.sdss_objid = b.objID left join dr17.wise_allsky w on w.cntr = x.wise_cntr"""
    assert checked_select(text, "q.sql") is not None


def test_no_row_is_an_empty_table_with_its_columns(database):
    table = embedded.query("select objID from PhotoObjAll where objID = 2", database, "q.sql")
    assert table.column_names == ["objID"]
    assert len(table) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select 1; drop table PhotoObjAll", "expected one SELECT, found SELECT, DROP"),
        ("delete from dr17.PhotoObjAll", "found DELETE"),
        ("select word from secret", "table secret may not be read"),
        ("select * from PhotoObjAll where objID in (select word from secret)", "secret may not be read"),
        ("with PhotoObjAll as (select word from secret) select * from PhotoObjAll", "secret may not be read"),
        ("select * from sqlite_master", "sqlite_master may not be read"),
        ("select * from read_csv('/etc/passwd')", "is no table"),
        ("select load_extension('x') from PhotoObjAll", "q.sql"),
        ("select flux from PhotoObjAll", "no such column: flux"),
        ("select objID, objID from PhotoObjAll", "selected twice"),
        ("selec objID from PhotoObjAll", "not T-SQL"),
        ("", "found nothing"),
    ],
)
def test_other_statements_and_tables_are_refused(database, text, words):
    with pytest.raises(CrosszError, match=words):
        embedded.query(text, database, "q.sql")
    with sqlite3.connect(database) as connection:
        assert connection.execute("select count(*) from PhotoObjAll").fetchone() == (1,)


def test_a_database_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "sky.sqlite"
    path.write_bytes(b"rubbish " * 1000)
    with pytest.raises(CrosszError, match=rf"^q\.sql, in {path}: file is not a database"):
        embedded.query("select objID from PhotoObjAll", path, "q.sql")


QUERY = "select b.objID, a.z, a.class from dr17.SpecObjAll a join dr17.PhotoObjAll b on a.bestObjID = b.objID"


def test_the_archive_is_sent_one_line_without_comments_context_or_into():
    text = f"-- mine\n{QUERY.replace(' from', ' into mydb.x from')} where a.class = 'QSO'"
    found = archive_query(text, "q.sql", "DR17")
    assert found.columns == ("objID", "z", "class")
    assert "mydb" not in found.text
    assert "dr17" not in found.text
    assert "\n" not in found.text
    assert found.digest == archive_query(text.replace("-- mine", "-- yours"), "q.sql", "DR17").digest
    assert found.digest != archive_query(QUERY, "q.sql", "DR17").digest
    plain = QUERY.replace("dr17.", "")
    assert archive_query(plain, "q.sql", "DR17").digest != archive_query(plain, "q.sql", "DR16").digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select * from PhotoObjAll", "name every column"),
        ("select objID, z + 1 from PhotoObjAll", "name every column"),
        ("select objID, OBJID, z from PhotoObjAll", "selected twice"),
        ("select objID from PhotoObjAll", "select z as well"),
        ("select objID, z from dr8.SpecObjAll", "another release than archive.context DR17"),
        ("with q as (select objID, z from SpecObjAll) select objID, z from q", "WITH cannot be sliced"),
    ],
)
def test_a_query_that_cannot_be_checked_is_refused(text, words):
    with pytest.raises(CrosszError, match=words):
        archive_query(text, "q.sql", "DR17")


@given(
    counts=st.dictionaries(st.one_of(st.none(), st.integers(-100, 700)), st.integers(1, 50), max_size=60),
    cap=st.integers(50, 200),
)
def test_slices_are_disjoint_below_the_cap_and_hold_every_row(counts, cap):
    found = slices(counts, cap, "q.sql")
    assert sum(part.rows for part in found) == sum(counts.values())
    assert all(0 < part.rows <= cap for part in found)
    for part in found:
        inside = [
            n
            for b, n in counts.items()
            if (b is None) == (part.first is None) and (b is None or part.first <= b <= part.last)
        ]
        assert sum(inside) == part.rows


def test_a_bin_beyond_the_cap_is_named():
    with pytest.raises(CrosszError, match="600 rows in redshift bin 153/100, the cap is 500"):
        slices({153: 600}, 500, "q.sql")


def test_slices_are_selected_by_the_server_s_own_arithmetic():
    found = slice_text("SELECT z FROM t", Slice(115, 120, 3))
    assert found == "SELECT * FROM (SELECT z FROM t) AS q WHERE FLOOR(q.z * 100) BETWEEN 115 AND 120"
    assert slice_text("SELECT z FROM t", Slice(None, None, 3)).endswith("IS NULL")
    assert "FLOOR(q.z * 100)" in count_by_redshift("SELECT z FROM t")
