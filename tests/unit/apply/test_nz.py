"""n(z): the mean of PDFs, its error, bins, and what cannot be stacked."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import qp

from crossz.apply import cli, nz
from crossz.apply.answer import SYNTHETIC, finished
from crossz.apply.pdf_columns import GRID
from crossz.apply.writers import write_table
from crossz.core.errors import CrosszError


@pytest.fixture
def found():
    """1000 narrow PDFs at redshifts that are drawn about 1 (two thirds) and 3; one row has no estimate."""
    random = np.random.default_rng(1)
    z = np.where(np.arange(1000) % 3, 1.0, 3.0) + random.normal(0, 0.05, 1000)
    table = pd.DataFrame({"status": "ok", "z_phot": z, "weight_0": 1.0, "mean_0": np.log1p(z), "sigma_0": 0.02})
    table.loc[0, "status"] = "no_data"
    table.loc[0, ["z_phot", "weight_0", "mean_0", "sigma_0"]] = np.nan
    return table


def test_the_stack_is_the_mean_of_the_pdfs_and_its_error_that_of_counts(found):
    whole, low, high, empty = nz.stacked(found, [0.5, 2, 4, 5])
    assert [stack.name for stack in (whole, low, high, empty)] == ["all", "0.5-2", "2-4", "4-5"]
    assert [stack.objects for stack in (whole, low, high, empty)] == [999, 666, 333, 0]
    for stack in (whole, low, high):
        assert stack.p.sum() * 0.01 == pytest.approx(1)
    assert whole.p == pytest.approx((low.p * 666 + high.p * 333) / 999, abs=1e-12)
    assert (low.p * GRID).sum() * 0.01 == pytest.approx(1.0, abs=0.01)
    assert empty.p.max() == empty.error.max() == 0
    # The share at z < 2 is a number of objects: its error is that of a binomial, here sqrt(p (1 - p) / n).
    part = whole.p[GRID < 2].sum() * 0.01
    assert part == pytest.approx(2 / 3, abs=1e-3)
    near = np.abs(GRID - 1) < 0.005
    share = whole.p[near] * 0.01
    assert whole.error[near] * 0.01 == pytest.approx(np.sqrt(share * 0.1 / 999), rel=1.0)


def test_a_bootstrap_error_is_that_of_repeated_samples():
    random = np.random.default_rng(2)

    def sample():
        mean = np.log1p(random.normal(2, 0.3, 400))
        columns = {"status": "ok", "z_phot": np.expm1(mean), "weight_0": 1.0, "mean_0": mean, "sigma_0": 0.05}
        return nz.stacked(pd.DataFrame(columns))[0]

    repeated = [sample() for _ in range(60)]
    spread = np.std([stack.p for stack in repeated], axis=0)
    here = (GRID > 1.5) & (GRID < 2.5)
    assert np.mean([stack.error for stack in repeated], axis=0)[here] == pytest.approx(spread[here], rel=0.35)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".fits", ".vot", ".ecsv"])
def test_every_format_of_a_table_of_estimates_is_stacked(found, tmp_path, suffix):
    given = pa.table({"name": ["a"] * 1000, "z_phot": ["9"] * 1000, "status": ["mine"] * 1000})
    table = finished(given, {}, found, {"warning": SYNTHETIC}, text=suffix == ".csv")
    write_table(table, tmp_path / f"t{suffix}")
    read, warning = nz.read_estimates(tmp_path / f"t{suffix}")
    wanted, got = (nz.stacked(one, [0.5, 2])[1] for one in (found, read))
    assert got.objects == 666
    assert got.p == pytest.approx(wanted.p, rel=1e-5)
    assert warning == (SYNTHETIC if suffix == ".parquet" else "")


def test_the_command_writes_csv_plot_and_an_ensemble(found, tmp_path, capsys):
    write_table(finished(pa.table({}), {}, found, {"warning": SYNTHETIC}), tmp_path / "t.parquet")
    words = ["nz", f"{tmp_path}/t.parquet", f"{tmp_path}/nz.csv", "--bins", "0.5", "2", "4", "--qp"]
    cli.main(words)
    said = capsys.readouterr().err
    assert SYNTHETIC in said
    assert f"{tmp_path}/nz.csv, {tmp_path}/nz.png, {tmp_path}/nz.hdf5" in said
    table = pd.read_csv(tmp_path / "nz.csv")
    assert list(table) == ["bin", "objects", "z", "p", "p_error"]
    assert table["bin"].unique().tolist() == ["all", "0.5-2", "2-4"]
    assert (tmp_path / "nz.png").read_bytes()[:4] == b"\x89PNG"
    ensemble = qp.read(str(tmp_path / "nz.hdf5"))
    assert ensemble.npdf == 3
    assert ensemble.ancil["objects"].tolist() == [999, 666, 333]
    assert ensemble.mean().ravel()[1:] == pytest.approx([1.0, 3.0], abs=0.02)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("nz.[cp]*")}
    cli.main(words[:-1])
    assert {path.name: path.read_bytes() for path in tmp_path.glob("nz.[cp]*")} == before


def test_what_cannot_be_stacked_is_refused_with_the_remedy(found, tmp_path):
    points = found.drop(columns=["weight_0", "mean_0", "sigma_0"])
    for table, words in (
        (points, "no PDFs; n(z) needs a table that was written with --pdf mixture"),
        (found.assign(status="no_data"), "no object with an estimate"),
    ):
        with pytest.raises(CrosszError) as caught:
            nz.stacked(table, source="t.parquet")
        assert str(caught.value) == f"t.parquet: {words}"
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for arguments, words in (
        ((tmp_path / "absent.parquet", "nz.csv"), "no such table of estimates"),
        ((tmp_path / "other.csv", "nz.csv"), "it has no column status"),
        ((tmp_path / "other.csv", "nz.txt"), "n(z) is written as .csv"),
        ((tmp_path / "other.csv", "nz.csv", [2.0, 1.0]), "at least two edges that increase"),
        ((tmp_path / "other.csv", "nz.csv", [2.0]), "at least two edges that increase"),
        ((tmp_path / "other.csv", "nz.csv", [number / 100 for number in range(102)]), "101 bins, more than 100"),
    ):
        with pytest.raises(CrosszError) as caught:
            nz.write_nz(*arguments)
        assert words in str(caught.value)


def test_a_table_in_which_nothing_can_be_a_quasar_is_refused(found):
    with pytest.raises(CrosszError, match="no object that may be a quasar"):
        nz.stacked(found.assign(p_QSO=0.0))


def test_an_object_counts_as_often_as_it_is_a_quasar(found):
    near_one = found["z_phot"] < 2
    whole, low, high = nz.stacked(found.assign(p_QSO=np.where(near_one, 0.25, np.nan)), [0.5, 2, 4])
    assert (low.quasars, high.quasars, whole.quasars) == (666 / 4, 333, 666 / 4 + 333)  # without a class: once
    assert (low.objects, whole.objects) == (666, 999)
    assert whole.p[GRID < 2].sum() * 0.01 == pytest.approx(1 / 3, abs=1e-3)
    assert low.p == pytest.approx(nz.stacked(found, [0.5, 2])[1].p)  # the same for all: no change
