"""Runs beside each other, as a user asks for them."""

import pytest
from project import copied, snakemake


@pytest.mark.parametrize("option", ["run", "directory"])
def test_a_run_elsewhere_finds_the_queries_and_the_user_s_files(tmp_path, option):
    (tmp_path / "project").mkdir()
    where = copied(tmp_path / "project")
    (where / "mine.csv").write_text("ra,dec\n1,2\n")
    how = {"run": "deep", "targets": "mine.csv"} if option == "run" else {"targets": str(where / "mine.csv")}
    flags = ["-n"] if option == "run" else ["-n", "--directory=elsewhere"]
    wanted = ["results/metrics.csv", "results/predict/mine.html"]
    done = snakemake(where, *flags, *wanted, **how)
    assert "metrics" in done.stdout + done.stderr
    assert not (where / "results").exists()
    assert (where / ("runs/deep" if option == "run" else "elsewhere")).is_dir()
