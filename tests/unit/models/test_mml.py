"""The spectral baseline: it learns what spectra tell, from its own part of a split, and keeps every row."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import toy
from helpers import ROOT
from torch.overrides import TorchFunctionMode

from crossz.core.errors import CrosszError
from crossz.core.files import read_json
from crossz.core.names import MML_INPUTS
from crossz.estimates.estimates import dz
from crossz.images.arrow import write_arrays
from crossz.images.spectra import FIRST, PIXELS
from crossz.models import mml_inputs, mml_training
from crossz.models.mml import ChannelAttention, SpectrumNet, generator, log_cosh, regressor
from crossz.sdss.spectra import STEP

SETTINGS = {"epochs": 2, "learning_rate": 3e-3, "batch_size": 32}


def flux_of(z):
    """Noisy spectra [n, 3600]: two broad lines, redshifted, on a flat continuum."""
    rng = np.random.default_rng([len(z), 5])
    loglam = FIRST + STEP * np.arange(PIXELS)
    flux = np.ones((len(z), PIXELS)) + rng.normal(0, 0.5, (len(z), PIXELS))
    for rest, height in ((1549.0, 2.0), (2800.0, 1.5)):
        centre = np.log10(rest * (1 + z))[:, None]
        flux += height * np.exp(-0.5 * ((loglam - centre) / 0.008) ** 2)
    return flux.astype(np.float16)


def with_spectra(survey, folder, change=lambda table, flux: flux, without=()):
    """Two shards of spectra of the toy `survey`; `without`: rows (in order of objID) that have none."""
    folder.mkdir(exist_ok=True)
    table = pd.read_parquet(survey.catalog)
    flux = change(table, flux_of(table["z"].to_numpy()))
    status = np.where(np.isin(np.arange(len(table)), without), "missing_spectrum", "ok")
    ok = np.full((len(table), PIXELS // 8), 255, np.uint8)
    paths = [folder / f"spectra{number}.arrow" for number in (0, 1)]
    for number, path in enumerate(paths):
        part = np.flatnonzero(np.arange(len(table)) % 2 == number)[::-1]  # in no order
        columns = {"objID": table["objID"].to_numpy()[part], "status": status[part].tolist()}
        write_arrays(path, columns | {"flux": flux[part], "ok": ok[part]})
    return paths


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A toy survey whose photometry is blurred until it says little."""
    folder = tmp_path_factory.mktemp("toy")
    survey = toy.write(folder, n=360)

    def blurred(table):
        noise = np.random.default_rng(0).normal(0, 0.4, (len(table), 5))
        names = [name for name in table if name.startswith("dered_")]
        return table.assign(**dict(zip(names, (table[names].to_numpy() + noise).T, strict=True)))

    return survey._replace(catalog=toy.rewrite(survey.catalog, folder / "blurred", blurred))


@pytest.fixture(scope="module")
def spectra(survey, tmp_path_factory):
    return with_spectra(survey, tmp_path_factory.mktemp("spectra"))


def run(survey, paths, folder, **settings):
    folder.mkdir(exist_ok=True)
    made = {"model": folder / "model.pt", "info": folder / "model.json"}
    tables = {inputs: folder / f"{inputs}.parquet" for inputs in MML_INPUTS}
    files = {"catalog": survey.catalog, "split": survey.split, "index": survey.index, "spectra": paths}
    outputs = made | {"predictions": tables}
    mml_training.write_mml(**files, **outputs, mml=SETTINGS | settings, magnitudes="dered_model", seed=5)
    parts = {inputs: pd.read_parquet(path) for inputs, path in tables.items()}
    return [path.read_bytes() for path in made.values()], parts


@pytest.fixture(scope="module")
def plain(survey, spectra, tmp_path_factory):
    return run(survey, spectra, tmp_path_factory.mktemp("plain"))


def rmse(table):
    table = table[table["subset"] == "test"]
    return float(np.sqrt(np.mean(dz(table["z_phot"], table["z_spec"]) ** 2)))


def test_spectra_tell_what_photometry_cannot(survey, spectra, tmp_path):
    _, tables = run(survey, spectra, tmp_path, epochs=20, batch_size=8)
    mean = rmse(tables["phot"].assign(z_phot=np.expm1(np.log1p(tables["phot"]["z_spec"]).mean())))
    assert rmse(tables["spec"]) < 0.5 * rmse(tables["phot"])
    assert rmse(tables["phot"]) < 0.9 * mean
    assert rmse(tables["phot+spec_gen"]) < 0.9 * mean


def test_the_rows_are_those_of_every_model(survey, plain):
    split = pd.read_parquet(survey.split).iloc[3:]  # the first three have no usable image
    for table in plain[1].values():
        assert table.columns.tolist() == ["objID", "z_spec", "z_phot", "subset"]
        assert table["objID"].tolist() == split.loc[split["subset"] != "train", "objID"].tolist()


def test_the_same_seed_gives_the_same_bytes_and_the_generator_outside_is_left_alone(survey, spectra, plain, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    made, tables = run(survey, spectra, tmp_path)
    assert made == plain[0]
    assert torch.equal(torch.get_rng_state(), before)
    for inputs, table in tables.items():
        pd.testing.assert_frame_equal(table, plain[1][inputs])


def test_test_objects_do_not_touch_the_training(survey, plain, tmp_path):
    split = pd.read_parquet(survey.split).set_index("objID")["subset"]

    def places(table):
        return np.flatnonzero((table["objID"].map(split) == "test").to_numpy())

    def other_labels(table):
        rows = places(table)
        names = [name for name in table if name != "objID"]
        table.loc[rows, names] = table.loc[np.roll(rows, 3), names].to_numpy()
        return table

    def other_spectra(table, flux):
        rows = places(table)
        flux[rows] = flux[np.roll(rows, 5)] * 2
        return flux

    changed = survey._replace(catalog=toy.rewrite(survey.catalog, tmp_path / "changed", other_labels))
    made, tables = run(changed, with_spectra(survey, tmp_path / "spectra", other_spectra), tmp_path / "model")
    assert made == plain[0]
    assert not np.allclose(tables["spec"]["z_phot"], plain[1]["spec"]["z_phot"])


def test_another_spectrum_of_a_training_object_does_matter(survey, plain, tmp_path):
    def other(_, flux):
        flux[5] = flux[6]
        return flux

    assert run(survey, with_spectra(survey, tmp_path, other), tmp_path)[0][0] != plain[0][0]


def test_an_object_without_a_spectrum_keeps_its_rows(survey, plain, tmp_path):
    paths = with_spectra(survey, tmp_path, without=[9, 10, 14, 19, 24])  # one of train, four of test
    _, tables = run(survey, paths, tmp_path)
    for inputs, table in tables.items():
        assert table["objID"].tolist() == plain[1][inputs]["objID"].tolist()
    lost = pd.read_parquet(survey.catalog)["objID"].to_numpy()[[9, 14, 19, 24]]
    fell_back = tables["spec"]["z_phot"] == tables["phot+spec_gen"]["z_phot"]
    assert fell_back.tolist() == tables["spec"]["objID"].isin(lost).tolist()
    info = read_json(tmp_path / "model.json")
    assert info["without_spectrum"] == {"test": 4, "train": 1, "val": 0}


def test_no_spectrum_at_all_is_refused(survey, tmp_path):
    paths = with_spectra(survey, tmp_path, without=range(360))
    with pytest.raises(CrosszError, match=r"of part train has a spectrum; take the dataset out of mml\.datasets"):
        run(survey, paths, tmp_path)


def test_missing_magnitudes_are_no_obstacle(survey, spectra, tmp_path):
    def holes(table):
        table.loc[::7, "dered_u"], table.loc[::11, "psfMagErr_z"] = -9999.0, np.nan
        return table

    catalog = toy.rewrite(survey.catalog, tmp_path / "holes", holes)
    _, tables = run(survey._replace(catalog=catalog), spectra, tmp_path)
    assert np.isfinite(tables["phot"]["z_phot"]).all()


def test_a_spectrum_is_averaged_over_pixels_of_the_grid(survey, tmp_path):
    def ramp(table, flux):
        flux[:] = np.arange(PIXELS) // 8
        return flux

    paths = with_spectra(survey, tmp_path, ramp, without=[1])
    objID = pd.read_parquet(survey.catalog)["objID"].to_numpy()[[2, 1]]
    spectra, there = mml_inputs.load_spectra(paths, np.append(objID, 5))
    spectra = spectra[torch.arange(3)]
    assert there.tolist() == [True, False, False]
    np.testing.assert_allclose(np.sinh(spectra[0, 0].float().numpy()), np.arange(450), rtol=0.01)
    assert (spectra[0, 1] == 1).all()
    assert (spectra[1:] == 0).all()


def test_a_shifted_spectrum_is_that_of_another_redshift():
    z = np.array([1.2, 1.7, 2.0])
    pixels = torch.tensor([-30, 7, 0])
    other = (1 + z) * 10 ** (pixels.numpy() * mml_training.POOL * STEP) - 1
    assert mml_training.STEP == STEP

    def pooled(z):
        centre = np.log10(1549.0 * (1 + z))[:, None]
        flux = np.exp(-0.5 * ((FIRST + STEP * np.arange(PIXELS) - centre) / 0.008) ** 2)
        flux = torch.from_numpy(flux.reshape(len(z), -1, mml_training.POOL).mean(2)).float()
        return torch.stack([flux, torch.ones_like(flux)], 1)

    spectra = mml_training.shifted(pooled(z), pixels)
    torch.testing.assert_close(spectra[:, 0], pooled(other)[:, 0], atol=2e-3, rtol=0)
    assert spectra[:, 1].sum(1).tolist() == [420, 443, 450]
    assert (spectra[0, 1, -30:] == 0).all()


def test_inputs_are_those_of_the_paper(survey):
    rows = pd.read_parquet(survey.catalog)
    inputs = mml_inputs.photometric_inputs(rows, "dered_model")
    assert inputs.shape == (360, 15)
    np.testing.assert_allclose(inputs[:, 9], rows["dered_u"] - rows["dered_z"])
    inputs[3, 0] = np.nan
    scaled = mml_inputs.apply_range(mml_inputs.fit_range(inputs), inputs)
    assert scaled.abs().max() <= 1
    assert scaled[3, 0] == pytest.approx(scaled[:, 0].median().item(), abs=0.02)


def test_networks_have_the_published_shapes():
    assert [layer.out_features for layer in generator() if hasattr(layer, "out_features")] == [8, 16, 32, 64, 128]
    assert regressor(15)(torch.zeros(4, 15)).shape == (4,)
    net = SpectrumNet(450)
    assert net.features(torch.zeros(3, 2, 450)).shape == (3, 128)
    assert net(torch.zeros(3, 2, 450)).shape == (3,)
    x = torch.rand(2, 16, 9)
    share = ChannelAttention(16)(x) / x
    assert ((share > 0) & (share < 1)).all()
    torch.testing.assert_close(share, share[:, :, :1].expand_as(share))  # one weight a channel


def test_log_cosh_is_log_cosh_where_cosh_overflows_too():
    error = torch.tensor([0.0, 0.5, -2.0])
    assert log_cosh(error, torch.zeros(3)).item() == pytest.approx(np.log(np.cosh([0, 0.5, 2])).mean(), rel=1e-5)
    assert log_cosh(torch.tensor([-1e4]), torch.zeros(1)).item() == pytest.approx(1e4 - np.log(2))


def test_a_training_that_diverges_says_so(survey, spectra, tmp_path):
    with pytest.raises(CrosszError, match=r"diverged; lower mml\.learning_rate"):
        run(survey, spectra, tmp_path, learning_rate=1e30)


def test_a_gpu_node_needs_little():
    code = "import crossz.models.mml_training, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    ).stdout.split()
    for name in ("torchvision", "sklearn", "astropy", "snakemake", "matplotlib", "yaml"):
        assert name not in loaded


class LargestCopy(TorchFunctionMode):
    """Notes the largest number of spectra that any operation gives."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.shape[1:] == (2, PIXELS // mml_training.POOL):
            self.count = max(self.count, len(result))
        return result


def test_a_training_holds_the_spectra_of_all_objects_once(survey, spectra, tmp_path, monkeypatch):
    monkeypatch.setattr(mml_training, "_BLOCK", 40)
    largest, train_on_spectra = LargestCopy(), mml_training.train_on_spectra

    def watched(*arguments):
        with largest:
            return train_on_spectra(*arguments)

    monkeypatch.setattr(mml_training, "train_on_spectra", watched)
    in_blocks = run(survey, spectra, tmp_path / "blocks", epochs=1, batch_size=30)
    assert 0 < largest.count <= 40
    monkeypatch.undo()
    at_once = run(survey, spectra, tmp_path / "once", epochs=1, batch_size=30)
    for inputs, table in at_once[1].items():
        np.testing.assert_allclose(in_blocks[1][inputs]["z_phot"], table["z_phot"], rtol=1e-4)
