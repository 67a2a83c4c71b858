"""The queries as written run on the embedded service, and reach nothing they should not."""

import sqlite3
from pathlib import Path

import pytest

from crossz.archive import embedded
from crossz.archive.sql import checked_select
from crossz.errors import CrosszError

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize("dataset", ["baseline", "extended"])
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
