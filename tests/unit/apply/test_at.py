"""One object by its position or its name: `crossz predict BUNDLE --at`."""

import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from helpers import archive
from local_archive import serve

from crossz.apply import at, cli
from crossz.archive import embedded, sesame
from crossz.core.errors import CrosszError


@pytest.fixture
def place(small_sky, monkeypatch):
    """Position and objID of an object that the local archive serves; `at` asks that one."""
    names = "objID, ra, dec, mode"
    objects = embedded.query(f"SELECT {names} FROM PhotoObjAll", small_sky / "sky.sqlite", "all").to_pandas()
    with serve(small_sky / "sky.sqlite", []) as server:
        monkeypatch.setattr(at, "ARCHIVE", archive(server.url))
        yield objects[objects["mode"] == 1].astype(object).iloc[7]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["160.2", "-0.5"], ("160.2", "-0.5")),
        (["160.2, +0.5"], ("160.2", "+0.5")),
        (["10:40:50.95 -0:12:3"], ("10:40:50.95", "-0:12:3")),
        (["10h40m50.95s", "-0d12m3s"], ("10h40m50.95s", "-0d12m3s")),
        (["10 40 50.95 -00 12 03"], ("10 40 50.95", "-00 12 03")),
        (["3C", "273"], None),
        (["PG 1634+706"], None),
        (["M 31"], None),
        (["47", "Tuc"], None),
    ],
)
def test_words_are_a_position_or_a_name(words, wanted):
    assert at.split_position(words) == wanted


def test_a_position_gets_words_in_the_terminal_and_a_row_in_a_file(made, place, tmp_path, capsys):
    text = SkyCoord(place["ra"], place["dec"], unit="deg").to_string("hmsdms", sep=":", precision=3)
    for words in ([str(place["ra"]), str(place["dec"])], [text]):
        cli.main(["predict", str(made), "--at", *words])
        printed = capsys.readouterr().out
        assert printed.startswith(f"objID {place['objID']}, 0.0")
        assert "z_phot " in printed
        assert "(68 %: " in printed
    cli.main(["predict", str(made), str(tmp_path / "out.csv"), "--at", *words])
    row = pd.read_csv(tmp_path / "out.csv").iloc[0]
    assert row["target"] == text
    assert (row["objID"], row["status"]) == (place["objID"], "ok")
    assert f"z_phot {row['z_phot']:.3f} " in capsys.readouterr().out
    page = (tmp_path / "out.html").read_text()
    assert str(place["objID"]) in page
    assert text in page
    cli.main(["predict", str(made), str(tmp_path / "no.fits"), "--no-page", "--pdf", "grid", "--at", *words])
    assert sorted(path.name for path in tmp_path.glob("no.*")) == ["no.fits"]


def test_a_name_is_resolved_first(place, monkeypatch):
    monkeypatch.setattr(sesame, "position", lambda client, name: {"Ton 618": (place["ra"], place["dec"])}[name])
    assert at.target_at(["Ton", "618"])["objID"].tolist() == [place["objID"]]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["10", "-85"], "--at 10 -85: no primary object within 2 arcsec"),
        (["400", "5"], "--at 400 5: ra '400' is not 0 to 360 degrees"),
        (["10:61:00", "5"], "--at 10:61:00 5: ra '10:61:00' is not"),
    ],
)
def test_no_object_and_no_position_end_in_one_line(place, words, problem):
    with pytest.raises(CrosszError, match=problem):
        at.target_at(words)


def test_a_call_has_a_table_or_one_position(made, tmp_path, capsys):
    for words in (["a.csv", "b.csv", "--at", "1", "2"], ["--at", "1", "2", "--cutouts", "x.arrow"], ["a.csv"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["predict", str(made), *words])
        assert ended.value.code == 2
        assert "--at" in capsys.readouterr().err
