"""PDFs exported for qp and RAIL: qp's own code on the file says what crossz.estimates.pdf says of the mixtures.

Two families of PDFs: broad ones of several peaks, as the network's are, and narrow ones, whose sigmas lie near the
finest step of the grid. Tolerances are what a linear cdf between points a sixth of a sigma apart loses, 0.06 / 6^2.
"""

import errno
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import qp
from mixtures import draw, mixtures
from qp.metrics.concrete_metric_classes import CDELossMetric
from qp.metrics.pit import PIT
from qp.metrics.point_estimate_metric_classes import PointBias, PointSigmaMAD

from crossz.core.errors import CrosszError
from crossz.core.files import sha256
from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture
from crossz.scores import metrics, pdf_scores, qp_export

BROAD = mixtures(400)
NARROW = BROAD._replace(sigma=BROAD.sigma / 8)  # 0.0025 to 0.019 of ln(1 + z)
both = pytest.mark.parametrize("pdfs", [BROAD, NARROW], ids=["broad", "narrow"])
CDF = 0.06 / 6**2


def predictions(pdfs, seed=1):
    """A table of predictions with PDFs, and true redshifts that are drawn from them."""
    z = np.expm1(draw(pdfs, seed))
    columns = {"objID": 1237645879551066262 + np.arange(len(z)), "z_spec": z, "z_phot": np.expm1(pdf.mean(pdfs))}
    columns["subset"] = np.resize(["val", "test", "train"], len(z))
    return pd.DataFrame(
        columns | {f"{name}_{k}": part[:, k] for name, part in pdfs._asdict().items() for k in range(part.shape[1])}
    )


def exported(pdfs, folder):
    """The table, and the ensemble that qp reads from the file."""
    table = predictions(pdfs)
    table.to_parquet(folder / "phot+img.parquet")
    qp_export.write_qp(predictions=folder / "phot+img.parquet", hdf5=folder / "phot+img.hdf5")
    return table, qp.read(str(folder / "phot+img.hdf5"))


def mean_of_z(pdfs):
    """Closed form: 1 + z is log-normal in every component."""
    return (pdfs.weight * np.exp(pdfs.mean + pdfs.sigma**2 / 2)).sum(1) - 1


@both
def test_pit_and_its_distance_from_uniform(pdfs, tmp_path):
    table, read = exported(pdfs, tmp_path)
    z = table["z_spec"].to_numpy()
    pit = PIT(read, z)
    np.testing.assert_allclose(pit.pit_samps, pdf.cdf(pdfs, np.log1p(z)), rtol=0, atol=CDF)
    # the largest of n distances moves by no more than the pit does
    assert pit.evaluate_PIT_KS().statistic == pytest.approx(pdf_scores.score(pdfs, z)["pit_ks"], abs=CDF)


@both
def test_crps_of_qp_s_cdf(pdfs, tmp_path):
    # qp has no CRPS; this is the integral that defines it over qp's cdf, in ln(1 + z) as ours
    table, read = exported(pdfs, tmp_path)
    y = np.log1p(table["z_spec"].to_numpy())
    grid = np.linspace(*np.log1p(read.metadata["xvals"].ravel()[[0, -1]]), 8001)
    off = read.cdf(np.expm1(grid)) - (grid >= y[:, None])
    # half a step of `grid` at the jump, and twice the error of the cdf over what the PDF spans
    span = np.log1p(read.ppf([0.999])) - np.log1p(read.ppf([0.001]))
    tolerance = (grid[1] - grid[0]) / 2 + 2 * CDF * span.ravel()
    assert (np.abs(np.trapezoid(off**2, grid) - pdf.crps(pdfs, y)) < tolerance).all()
    assert np.trapezoid(off**2, grid).mean() == pytest.approx(pdf.crps(pdfs, y).mean(), rel=2e-3)


@both
def test_cde_loss(pdfs, tmp_path):
    # Izbicki & Lee 2017: E int p(z)^2 dz - 2 E p(z_spec); the first is closed, as products of Gaussians are Gaussian
    table, read = exported(pdfs, tmp_path)
    points = np.arange(0, 12, 5e-4)
    z = points[np.rint(table["z_spec"].to_numpy() / 5e-4).astype(int)]  # qp takes p at the nearest of its points
    m, w = pdfs.mean, pdfs.weight
    v = pdfs.sigma**2
    total = v[:, :, None] + v[:, None, :]
    overlap = np.exp(-((m[:, :, None] - m[:, None, :]) ** 2) / (2 * total)) / np.sqrt(2 * np.pi * total)
    middle = (m[:, :, None] * v[:, None, :] + m[:, None, :] * v[:, :, None]) / total
    narrow = v[:, :, None] * v[:, None, :] / total
    square = (w[:, :, None] * w[:, None, :] * overlap * np.exp(narrow / 2 - middle)).sum((1, 2))
    expected = np.mean(square - 2 * pdf.density(pdfs, np.log1p(z)) / (1 + z))
    assert CDELossMetric(points).evaluate(read, z) == pytest.approx(expected, rel=0.005)


@both
def test_quantiles_mean_and_mode(pdfs, tmp_path):
    _, read = exported(pdfs, tmp_path)
    grid = read.metadata["xvals"].ravel()
    shares = [0.025, 0.16, 0.5, 0.84, 0.975]
    # a quantile has its share below it: where p(z) is nearly 0, between peaks, its z is no sharper than that
    below = pdf.cdf(pdfs, np.log1p(read.ppf(shares)))
    np.testing.assert_allclose(below, np.tile(shares, (len(below), 1)), rtol=0, atol=CDF)
    # 1e-5 of the tail is missing, and what lies there is far away
    spread = read.std().ravel()
    np.testing.assert_allclose(read.mean().ravel(), mean_of_z(pdfs), rtol=0, atol=2e-4 * spread.max())
    density = pdf.density(pdfs, np.tile(np.log1p(grid), (len(below), 1))) / (1 + grid)
    mode = pdf.density(pdfs, np.log1p(read.mode(grid))) / (1 + read.mode(grid))
    assert (mode.ravel() > 0.99 * density.max(1)).all()


def test_one_peak_s_mode_mean_and_median_are_the_log_normal_s():
    pdfs = Mixture(np.ones((3, 1)), np.array([[0.8], [1.2], [1.6]]), np.array([[0.1], [0.05], [0.02]]))
    read = qp_export.ensemble(predictions(pdfs))
    grid = read.metadata["xvals"].ravel()
    m, s = pdfs.mean.ravel(), pdfs.sigma.ravel()
    np.testing.assert_allclose(read.mode(grid).ravel(), np.expm1(m - s**2), atol=grid[1] - grid[0])
    np.testing.assert_allclose(read.median().ravel(), np.expm1(m), atol=CDF)
    np.testing.assert_allclose(read.mean().ravel(), mean_of_z(pdfs), atol=1e-4)


@both
def test_the_file_holds_the_objects_and_the_same_pdfs(pdfs, tmp_path):
    table, read = exported(pdfs, tmp_path)
    assert qp.is_qp_file(str(tmp_path / "phot+img.hdf5"))
    assert list(read.ancil) == ["objID", "subset", "z_phot", "z_spec"]
    for name, values in read.ancil.items():
        np.testing.assert_array_equal(values, table[name].to_numpy())
    z = table["z_spec"].to_numpy()[:, None]
    np.testing.assert_allclose(read.pdf(z), qp_export.ensemble(table).pdf(z), rtol=1e-4, atol=1e-6)
    grid = read.metadata["xvals"].ravel()
    np.testing.assert_allclose(np.trapezoid(read.pdf(grid), grid), 1, atol=1e-6)


def test_point_scores_of_qp_are_ours(tmp_path):
    _, read = exported(BROAD, tmp_path)
    z_phot, z_spec = read.ancil["z_phot"], read.ancil["z_spec"]
    ours = metrics.score(z_spec, z_phot)
    assert PointBias().evaluate(z_phot, z_spec) == pytest.approx(ours["bias_median"])
    assert PointSigmaMAD().evaluate(z_phot, z_spec) == pytest.approx(ours["sigma_nmad"])


def test_again_and_in_other_blocks_the_same_bytes(tmp_path, monkeypatch):
    exported(BROAD, tmp_path)
    first = sha256(tmp_path / "phot+img.hdf5")
    exported(BROAD, tmp_path)
    assert sha256(tmp_path / "phot+img.hdf5") == first
    monkeypatch.setattr(qp_export, "_BLOCK", 7)
    table, read = exported(BROAD, tmp_path)
    np.testing.assert_array_equal(read.ancil["subset"], table["subset"])
    assert sha256(tmp_path / "phot+img.hdf5") == first


def test_a_file_is_begun_only_where_all_of_it_fits(tmp_path, monkeypatch):
    def with_free(size):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size))
        exported(BROAD, tmp_path)

    exported(BROAD, tmp_path)
    written = tmp_path / "phot+img.hdf5"
    before, size = sha256(written), written.stat().st_size
    with pytest.raises(OSError, match=r"phot\+img\.hdf5") as caught:
        with_free(size)  # what is written needs a little less than the bound
    assert caught.value.errno == errno.ENOSPC
    assert sha256(written) == before
    with_free(size * 1.05 + (1 << 16))


def test_a_few_far_narrower_pdfs_neither_vanish_nor_swell_the_file():
    sigma = BROAD.sigma.copy()
    sigma[:2] = 1e-4  # a thirtieth of a step
    pdfs = BROAD._replace(sigma=sigma)
    table = predictions(pdfs)
    read = qp_export.ensemble(table)
    assert read.metadata["xvals"].size < 2000
    np.testing.assert_allclose(read.mean().ravel()[:2], mean_of_z(pdfs)[:2], atol=1e-3)
    for row in range(2):
        peaks = np.expm1(pdfs.mean[row])
        share = read[row].cdf(peaks + 0.01) - read[row].cdf(peaks - 0.01)
        assert (np.ravel(share) > pdfs.weight[row] * 0.99).all()


def test_points_alone_are_refused(tmp_path):
    predictions(BROAD)[["objID", "z_spec", "z_phot", "subset"]].to_parquet(tmp_path / "phot.parquet")
    with pytest.raises(CrosszError, match=r"phot\.parquet: no PDFs.*head: mixture"):
        qp_export.write_qp(predictions=tmp_path / "phot.parquet", hdf5=tmp_path / "phot.hdf5")
    assert [path.name for path in tmp_path.iterdir()] == ["phot.parquet"]


def test_without_qp_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "qp", None)
    with pytest.raises(CrosszError, match="pip install qp-prob"):
        qp_export.ensemble(predictions(BROAD))
