"""What a SQL service answers is believed only where it can be checked."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossz.archive import reply
from crossz.core.errors import CrosszError, Refused

COLUMNS = ("objID", "z", "class")
GOOD = b"#Table1\nobjID,z,class\n1237648726071491234,1.5,QSO\n1237648726071491235,null,\n"


def test_ids_come_through_and_an_empty_cell_is_null():
    assert reply.table(GOOD, COLUMNS, 2).to_pylist() == [
        {"objID": "1237648726071491234", "z": "1.5", "class": "QSO"},
        {"objID": "1237648726071491235", "z": None, "class": None},
    ]


@pytest.mark.parametrize(
    "body",
    [
        GOOD.replace(b"#Table1\n", b""),
        GOOD.replace(b"objID,z,class", b"OBJID,Z,Class"),
        GOOD.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + GOOD,
        b"#Table1\nclass,z,objID\nQSO,1.5,1237648726071491234\n,null,1237648726071491235\n",
    ],
)
def test_the_same_rows_in_other_clothes(body):
    assert reply.table(body, COLUMNS, 2).equals(reply.table(GOOD, COLUMNS, 2))


@pytest.mark.parametrize("cell", ["²", "9" * 100_000, "inf", "-1", "1.5", "", "null", "1e3"])
def test_a_count_that_is_none_is_refused_and_not_shown_at_length(cell):
    with pytest.raises(Refused) as caught:
        reply.number(reply.table(f"n\n{cell or ','}\n".encode(), ("n",)))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "cells",
    [
        "inf,1",
        "1,inf",
        "²,1",
        "1,",
        "nan,1",
        "1," + "9" * 10_000,
        "1,-3",
        "1,0",
        "1.5,2",
        "1,2.5",
        "1e300,5",
        "1,1e300",
        "1_0,1",
        "1,1\n1,1",
    ],
)
def test_counts_by_redshift_that_are_none_are_refused(cells):
    with pytest.raises(Refused, match="not counts"):
        reply.bins(reply.table(f"bin,n\n{cells}\n".encode(), ("bin", "n")))


@pytest.mark.parametrize("body", [b"a," * 40_000 + b"n\n1\n", b"n" * 70_000 + b"\n"])
def test_a_first_line_of_any_length_is_not_split_into_names(body):
    with pytest.raises(Refused, match=r"a first line of .* bytes instead of names"):
        reply.table(body, ("n",), more=True)


def test_a_long_error_is_not_parsed(monkeypatch):
    monkeypatch.setattr(reply.json, "loads", lambda body: pytest.fail("parsed"))
    with pytest.raises(CrosszError, match="the service says: b'"):
        reply.table(b"[" + b"[]," * 10_000 + b"[]]", ("n",))


def test_more_bins_than_redshifts_are_no_counts(monkeypatch):
    monkeypatch.setattr(reply, "_BINS", 2)
    with pytest.raises(Refused, match="not counts: 3 bins"):
        reply.bins(reply.table(b"bin,n\n1,1\n2,1\n3,1\n", ("bin", "n")))


def test_a_deeply_nested_error_is_quoted():
    with pytest.raises(CrosszError, match="the service says"):
        reply.table(b'{"a":' * 100_000, ("n",))


def test_further_columns_are_left_out_only_where_they_may_be_there():
    body = b"#Table1\nname,objID,z\n0,1,2.5\n"
    assert reply.table(body, ("objID", "z"), more=True).to_pylist() == [{"objID": "1", "z": "2.5"}]
    with pytest.raises(Refused, match="columns name, objid, z"):
        reply.table(body, ("objID", "z"))


def test_no_rows_are_an_empty_table():
    assert reply.table(b"#Table1\nobjID,z,class\n", COLUMNS, 0).column_names == list(COLUMNS)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><title>Skyserver Error</title></html>", "an HTML page"),
        (b"  <!DOCTYPE html>", "an HTML page"),
        (GOOD[:-3], "1 rows instead of the 2|last line is cut"),
        (GOOD[: GOOD.index(b"1237648726071491235")], "1 rows instead of the 2"),
        (GOOD + b"1237648726071491236,1.0,QSO\n", "3 rows instead of the 2"),
        (GOOD.replace(b"1.5,", b""), "not a table"),
        (GOOD.replace(b"1237648726071491235,null,", b'1237648726071491235,null,"'), "a quote is open"),
        (GOOD.replace(b"class", b"klass"), "columns objid, z, klass"),
        (GOOD.replace(b"objID,z,class", b"objID,z"), r"columns objid, z \.\.\. \(2\)"),
        (b"", "columns"),
        (
            b'#Table1\nerror_message\n"ERROR: Maximum 60 queries allowed per minute. Rejected query: SELECT \n"',
            "60 queries",
        ),
    ],
)
def test_what_a_second_request_may_mend_is_refused(body, words):
    with pytest.raises(Refused, match=words):
        reply.table(body, COLUMNS, 2)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"#Table1\nerror_message\nerror: limit is  top 500000 select\n", "limit is top 500000"),
        (b'{"ErrorCode":500,"ErrorType":"x","ErrorMessage":"Invalid column name \'zz\'."}', "Invalid column name"),
        (b"[1, 2]", r"\[1, 2\]"),
    ],
)
def test_a_rejected_query_ends_with_the_service_s_words(body, words):
    with pytest.raises(CrosszError, match=words):
        reply.table(body, COLUMNS, 2)


cell = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)


@example(rows=[("", "", "\n0")], cut=3)
@given(rows=st.lists(st.tuples(cell, cell, cell).filter(any), min_size=1, max_size=5), cut=st.integers(1, 40))
def test_no_cut_body_passes_for_whole(rows, cut):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    body = text.getvalue().encode()
    shorter = body[: max(len(body) - cut, 0)]
    assert len(reply.table(body, COLUMNS, len(rows))) == len(rows)
    with pytest.raises((Refused, CrosszError)):
        reply.table(shorter, COLUMNS, len(rows))
