"""The command `crossz`: the Python call's answers in files, and errors in one line."""

import io
import logging
import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from helpers import ROOT

from crossz.apply import cli
from crossz.apply.bundle import load_bundle
from crossz.apply.bundle_folder import CARD, fingerprint, pack
from crossz.apply.predict import images_of, predict
from crossz.catalog import batches
from crossz.core.constants import BANDS
from crossz.core.version import VERSION


@pytest.fixture
def csv(targets, tmp_path):
    """mine.csv: targets without extinctions or psfMag."""
    kept = ["objID", *(f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS)]
    targets[kept].to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def run(*arguments):
    cli.main([*map(str, arguments)])


def error(capsys, *arguments, status=1):
    """The message of a failed command: one line, unless its problems are listed."""
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    if status == 2:
        assert caught.value.code == 2
        return capsys.readouterr().err
    assert str(caught.value).startswith("crossz: ")  # which Python prints before it ends with status 1
    return str(caught.value)


def test_predict_writes_what_the_python_call_gives(made, csv, tmp_path, capsys):
    wanted = predict(pd.read_csv(csv, dtype={"objID": str}), load_bundle(made))
    formats = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".fits": Table.read,
        ".vot": Table.read,
        ".ecsv": Table.read,
    }
    for suffix, read in formats.items():
        out = tmp_path / "new" / f"out{suffix}"
        run("predict", made, csv, out, "--threads", "1")
        table = read(out)
        assert list(table["objID"].astype(str)) == wanted["objID"].tolist(), suffix
        assert np.asarray(table["z_phot"], float) == pytest.approx(wanted["z_phot"].to_numpy(), abs=1e-6), suffix
        assert list(table["status"]) == ["ok"] * len(wanted)
        printed = capsys.readouterr()
        assert "2 splits, which together have seen 69 objects in training" in printed.err
        assert "120 targets: ok 120; from phot+img_gen 120; 1 out of the training domain" in printed.err
        assert printed.out == ""


def test_messages_are_few_or_many_as_asked_and_stop_with_the_command(made, csv, tmp_path, capsys):
    run("predict", made, csv, tmp_path / "out.csv", "--quiet")
    assert capsys.readouterr().err == ""
    run("predict", made, csv, tmp_path / "out.csv", "--verbose")
    assert "<Bundle toy-crossmodal: " in capsys.readouterr().err
    message = error(capsys, "info", tmp_path, "--verbose")
    assert "Traceback" in capsys.readouterr().err
    assert message.endswith("not a crossz bundle: it has no SHA256SUMS")
    logging.getLogger("crossz").warning("after the command")
    assert "after the command" not in capsys.readouterr().err
    assert "not allowed with argument" in error(capsys, "info", made, "--quiet", "--verbose", status=2)


def test_a_page_lies_beside_the_table_unless_it_is_not_wanted(survey, made, csv, tmp_path, monkeypatch, capsys):
    for out, page in (("out.csv", "out.html"), ("folder", "folder.html")):
        run("predict", made, csv, tmp_path / out, "--cutouts", *survey.cutouts)
        assert "the same as a page" in capsys.readouterr().err
        text = (tmp_path / page).read_text()
        assert "Photometric redshifts of 120 targets by toy-crossmodal" in text
        assert f'href="{out}"' in text
        assert '"images":[' in text
    monkeypatch.setattr(batches, "ROWS", 50)
    run("predict", made, csv, tmp_path / "folder", "--cutouts", *survey.cutouts)
    assert f'"rows":{[*range(1, 121)]}'.replace(" ", "") in (tmp_path / "folder.html").read_text()
    run("predict", made, csv, tmp_path / "other.csv", "--no-page")
    assert not (tmp_path / "other.html").exists()
    (tmp_path / "mine.html").write_text("my own")
    assert "mine.html: the page of mine.fits would replace it" in error(
        capsys, "predict", made, csv, tmp_path / "mine.fits"
    )
    assert not (tmp_path / "mine.fits").exists()


def test_a_NUL_in_the_call_is_refused_in_words(made, csv, capsys):
    assert "the character NUL" in error(capsys, "predict", made, csv, "a\0.csv")


def test_columns_of_other_names_are_mapped(made, csv, tmp_path):
    run("predict", made, csv, tmp_path / "a.csv")
    renamed = pd.read_csv(csv).rename(columns={"dered_u": "umag", "objID": "source"})
    renamed.to_csv(tmp_path / "theirs.csv", index=False)
    run("predict", made, tmp_path / "theirs.csv", tmp_path / "b.csv", "--columns", "dered_u=umag", "objID=source")
    a, b = pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "b.csv")
    assert list(b)[:11] == list(renamed)
    pd.testing.assert_frame_equal(b.set_axis(list(a), axis=1), a)


def test_patterns_units_and_a_file_of_names_bring_others_tables_under_ours(made, csv, tmp_path, monkeypatch, capsys):
    run("predict", made, csv, tmp_path / "a.csv")
    rows = pd.read_csv(csv)
    for band in BANDS:
        flux = 10 ** (0.4 * (22.5 - rows.pop(f"dered_{band}")))
        rows[f"{band}Flux"] = flux
        rows[f"{band}FluxErr"] = rows.pop(f"psfMagErr_{band}") * flux * np.log(10) / 2.5
    rows.to_csv(tmp_path / "flux.tsv", sep="\t", index=False)
    (tmp_path / "names.txt").write_text("# of my survey\ndered_* = *Flux\npsfMagErr_*=*FluxErr\n")
    call = ["predict", made, tmp_path / "flux.tsv", tmp_path / "b.csv", "--columns", f"@{tmp_path / 'names.txt'}"]
    assert "What are they? Say it: --units" in error(capsys, *call)
    run(*call, "--units", "nmgy")
    a, b = pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "b.csv")
    assert b["z_phot"].to_numpy() == pytest.approx(a["z_phot"].to_numpy(), abs=2e-3)  # asinh differs a little
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(csv.read_bytes())))
    run("predict", made, "-", tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert "no file absent.txt" in error(capsys, "predict", made, csv, tmp_path / "d.csv", "--columns", "@absent.txt")


def test_cutouts_make_the_estimate_that_of_both(survey, made, csv, targets, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    run("predict", made, csv, out, "--cutouts", *survey.cutouts)
    table = pd.read_parquet(out)
    assert table["inputs"].tolist() == ["phot+img_gen"] * 3 + ["phot+img"] * 117  # the first three have no image
    images = images_of(targets["objID"], survey.index, survey.cutouts)
    wanted = predict(targets, load_bundle(made), images)
    assert table["z_phot"].to_numpy() == pytest.approx(wanted["z_phot"].to_numpy(), abs=1e-6)
    twice = [survey.cutouts[0], shutil.copy(survey.cutouts[0], tmp_path / "again.arrow")]
    assert "two images of objID" in error(capsys, "predict", made, csv, out, "--cutouts", *twice)
    assert "x.arrow: no such file or folder of images" in error(
        capsys, "predict", made, csv, out, "--cutouts", tmp_path / "x.arrow"
    )
    pd.read_csv(csv).drop(columns="objID").to_csv(csv, index=False)
    message = error(capsys, "predict", made, csv, out, "--cutouts", *twice)
    assert "mine.csv: no column objID, by which images are found" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["out.txt"], "out.txt: tables are written as .parquet, .csv, .fits"),
        (["mine.csv"], "mine.csv: that is the table of targets itself"),
        (["out.csv", "--columns", "dered_u"], "--columns dered_u: say OURS=THEIRS"),
        (["out.csv", "--columns", "deredu=umag"], "no column deredu; did you mean dered_u?"),
        (["out.csv", "--columns", "dered_u=umag"], "dered_u is mapped to umag, which is no column"),
    ],
)
def test_wrong_calls_are_refused_with_the_remedy_and_write_nothing(made, csv, monkeypatch, capsys, change, words):
    monkeypatch.chdir(csv.parent)
    before = csv.read_bytes()
    assert words in error(capsys, "predict", made, "mine.csv", *change)
    assert csv.read_bytes() == before
    assert [path.name for path in csv.parent.iterdir()] == ["mine.csv"]


@pytest.mark.parametrize("threads", ["0", "-5", "1000000000"])
def test_threads_that_no_machine_has_are_a_wrong_call(made, csv, tmp_path, capsys, threads):
    out = tmp_path / "o.csv"
    assert "is none of 1 to 1024" in error(capsys, "predict", made, csv, out, f"--threads={threads}", status=2)


def test_a_damaged_bundle_and_absent_targets_are_refused(made, csv, tmp_path, capsys):
    assert "no such table of targets" in error(capsys, "predict", made, tmp_path / "x.csv", tmp_path / "out.csv")
    copy = shutil.copytree(made, tmp_path / "copy")
    (copy / CARD).write_text("# a better card\n")
    for command in (["predict", copy, csv, tmp_path / "out.csv"], ["info", copy]):
        assert "card.md: not the bytes that the bundle was made with" in error(capsys, *command)
    rows = pd.read_csv(csv)
    rows.rename(columns={name: name.replace("dered_", "mag") for name in rows}).to_csv(csv, index=False)
    message = error(capsys, "predict", made, csv, tmp_path / "out.csv")
    assert "mine.csv: no column dered_*, which these networks read" in message
    assert "--columns 'dered_*=mag*'" in message
    assert not (tmp_path / "out.csv").exists()
    assert "arguments are required: TARGETS and OUT" in error(capsys, "predict", made, csv, status=2)


def test_a_synthetic_network_says_so_in_red_and_in_the_file(copy, csv, change_facts, tmp_path, monkeypatch, capsys):
    run("predict", copy, csv, tmp_path / "real.csv")
    assert "SYNTHETIC" not in capsys.readouterr().err + (tmp_path / "real.csv").read_text()
    change_facts(copy, lambda facts: facts["made"].update(survey="embedded"))
    run("predict", copy, csv, tmp_path / "out.csv", "--quiet")
    assert capsys.readouterr().err.startswith("SYNTHETIC NETWORK: it was trained on an invented sky")
    assert pd.read_csv(tmp_path / "out.csv")["crossz_network"].str.contains("SYNTHETIC").all()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run("predict", copy, csv, tmp_path / "out.csv", "--quiet")
    assert capsys.readouterr().err.startswith("\033[31mSYNTHETIC")
    monkeypatch.setenv("NO_COLOR", "1")
    run("predict", copy, csv, tmp_path / "out.csv", "--quiet")
    assert capsys.readouterr().err.startswith("SYNTHETIC")


def test_no_name_or_value_of_a_table_is_obeyed_by_the_terminal(made, csv, tmp_path, capsys):
    rows = pd.read_csv(csv, dtype=str)
    rows.loc[0, "dered_u"] = "1\x1b[31m9"
    rows.to_csv(csv, index=False)
    run("predict", made, csv, tmp_path / "out.csv")
    shown = capsys.readouterr().err
    assert "1 value(s) count as missing magnitudes or errors: 1[31m9 (1)" in shown
    assert "\x1b" not in shown
    csv.write_text("a\x1bb,c\n1,2\n")
    message = error(capsys, "predict", made, csv, tmp_path / "out.csv", "--columns", "dered_u=x")
    assert "it has: ab, c" in message


def test_a_zip_file_is_the_bundle_that_it_holds(made, csv, tmp_path, capsys):
    pack(bundle=made, archive=tmp_path / "toy.zip")
    run("predict", made, csv, tmp_path / "a.csv")
    run("predict", tmp_path / "toy.zip", csv, tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    capsys.readouterr()
    run("info", tmp_path / "toy.zip")
    assert capsys.readouterr().out.startswith(f"fingerprint {fingerprint(made)}\n")


def test_info_prints_fingerprint_columns_and_card(made, capsys):
    run("info", made)
    lines = capsys.readouterr().out.split("\n", 3)
    assert lines[0] == f"fingerprint {fingerprint(made)}"
    assert lines[1].split() == ["columns", *load_bundle(made).columns]
    assert lines[3] == (made / CARD).read_text()


def test_info_of_a_bundle_that_names_no_magnitudes_is_refused(copy, change_facts, capsys):
    change_facts(copy, lambda facts: facts.pop("magnitudes"))
    assert error(capsys, "info", copy).startswith("crossz: bundle.json: incomplete (")


@pytest.mark.parametrize("words", ["--version", "--help", "info MADE", "info nothing", "predict MADE x.csv out.txt"])
def test_it_starts_without_an_installation_and_without_waiting_for_libraries(made, tmp_path, words):
    program = (
        "import sys\ntry:\n    from crossz.apply.cli import main; main(sys.argv[1:])\n"
        "finally:\n    print(sorted({'torch', 'pandas', 'numpy', 'matplotlib', 'jinja2'} & sys.modules.keys()))"
    )
    arguments = [str(made) if word == "MADE" else word for word in words.split()]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


def test_the_package_is_a_command_too(tmp_path):
    environment = {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "crossz"]
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "check": False}
    done = subprocess.run([*command, "info", "nothing"], **options)
    assert done.returncode == 1
    assert re.fullmatch("crossz: nothing: no such bundle; .*\n", done.stderr)
    assert subprocess.run([*command, "--version"], **options).stdout == f"{VERSION}\n"


def test_the_installed_command_is_this_one_and_its_version_the_citation_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"crossz": "crossz.apply.cli:main"}
    assert project["tool"]["hatch"]["version"]["path"] == "src/crossz/core/version.py"
    assert f"version: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert "--no-build-isolation --editable ." in (ROOT / "Makefile").read_text()
