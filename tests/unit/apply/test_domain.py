"""How far objects lie from the training part: a false-alarm rate, whatever bands and images an object has."""

import numpy as np
import pandas as pd
import pytest
import torch
import toy
from safetensors.numpy import load_file, save_file
from toy import rewrite

from crossz.apply import domain as module
from crossz.apply.apertures import PIXELS, aperture_flux, aperture_noise
from crossz.apply.bundle import load_bundle
from crossz.apply.bundle_folder import DOMAIN
from crossz.apply.domain import Domain, image_features, read_domain, write_domain
from crossz.apply.predict import images_of, predict
from crossz.core.errors import CrosszError
from crossz.images.store import ImageStore
from crossz.models.info import ModelInfo


def quasars(count, seed=0, z=None):
    """Magnitudes [n, 5] of objects whose colours depend on one number, z."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, 1, count) if z is None else z
    colours = np.stack([z, -0.5 * z, 0.5 * z**2, 0.2 * z], axis=1) + rng.normal(0, 0.05, (count, 4))
    return np.cumsum(np.c_[rng.uniform(18, 20, count), -colours], axis=1)


@pytest.fixture(scope="module")
def measured():
    """A domain of such objects, with images whose features are these magnitudes, too."""
    train, val = quasars(1500), quasars(1000, 1)
    return Domain({"phot_train": train, "phot_val": val, "img_train": 20 - train, "img_val": 20 - val})


@pytest.mark.parametrize("kinds", [("phot",), ("img",), ("phot", "img")])
def test_of_objects_like_the_training_ones_a_share_t_is_at_most_t(measured, kinds):
    mag = quasars(3000, 2)
    p = measured.p(
        {"phot": mag if "phot" in kinds else mag * np.nan, "img": 20 - mag if "img" in kinds else mag * np.nan}
    )
    for share in (0.05, 0.2, 0.5):
        assert np.mean(p <= share) == pytest.approx(share, abs=0.03)


def test_an_object_of_other_colours_is_far_although_each_magnitude_is_common(measured):
    mag = quasars(200, 2)
    mag[:, 4] = np.roll(mag[:, 4], 1) * 0.2 + 0.8 * mag[:, 0] + 0.6
    assert np.mean(measured.p({"phot": mag}) <= 0.05) > 0.9
    assert (np.abs(mag - mag.mean()) < 4).all()


def test_false_alarms_are_no_more_where_training_objects_are_few():
    rng = np.random.default_rng(4)
    z = [rng.uniform(0, 1, count) ** 4 * 3 for count in (2000, 1500, 6000)]  # one in ten has z > 2
    train, val, new = (quasars(len(one), seed, one) for seed, one in enumerate(z))
    rows = {"phot_train": train, "phot_val": val}
    rare = (z[2] > 2) & (z[2] < 2.8)
    even = Domain(rows | {"y_train": np.log1p(z[0])}).p({"phot": new}) <= 0.05
    assert even.mean() == pytest.approx(0.05, abs=0.02)
    assert even[rare].mean() < 0.12
    assert (Domain(rows).p({"phot": new}) <= 0.05)[rare].mean() > 0.2  # without the redshifts
    beyond = quasars(200, 5, rng.uniform(4, 5, 200))
    assert (Domain(rows | {"y_train": np.log1p(z[0])}).p({"phot": beyond}) <= 0.05).mean() > 0.95


def test_what_an_object_lacks_does_not_count(measured):
    mag = quasars(2000, 2)
    mag[:1000, 0] = np.nan
    mag[1000:, [2, 3]] = np.nan  # fluxes are over those of another band
    p = measured.p({"phot": mag})
    for part in (p[:1000], p[1000:]):
        assert np.mean(part <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.isnan(measured.p({"phot": np.full((2, 5), np.nan)})).all()


def test_an_image_or_photometry_that_is_strange_is_enough(measured):
    mag = quasars(300, 2)
    for values in ({"phot": mag + 8, "img": 20 - mag}, {"phot": mag, "img": 12 - mag}):
        assert np.mean(measured.p(values) <= 0.05) > 0.95


def test_each_object_is_measured_by_itself(measured):
    mag = quasars(700, 3)
    mag[::3, 1] = np.nan
    whole = measured.p({"phot": mag})
    assert whole.tolist() == np.concatenate([measured.p({"phot": part}) for part in np.array_split(mag, 9)]).tolist()


def test_too_few_objects_with_the_same_bands_say_nothing():
    train, val = quasars(100), quasars(30, 1)
    train[15:, 0] = np.nan
    p = Domain({"phot_train": train, "phot_val": val}).p({"phot": np.array([[19.0] * 5, [np.nan] + [19.0] * 4])})
    assert np.isnan(p).tolist() == [True, False]


def test_the_flux_around_the_middle_is_that_of_the_star_there(survey):
    store, table = ImageStore(survey.index, survey.cutouts), pd.read_parquet(survey.catalog)[3:]
    image, mask = store.gather(store.rows(table["objID"].to_numpy()))
    flux = aperture_flux(image, mask)
    wanted = 10 ** (0.4 * (22.5 - table[[f"psfMag_{band}" for band in "ugriz"]].to_numpy()))
    noise = aperture_noise(16 * toy.NOISE)
    assert noise == pytest.approx(toy.NOISE * PIXELS**0.5)
    scaled = flux / np.median(flux / wanted, axis=0)
    assert np.std((scaled - wanted) / np.hypot(noise, 0.03 * wanted)) < 1.3
    mask[0, 30, 33] = 0b00100
    mask[1, 0, 0] = 0b11111
    assert np.isnan(aperture_flux(image, mask)).sum() == 1
    assert np.isnan(aperture_flux(image, mask)[0, 2])


def test_the_objects_of_a_bundle_are_those_that_trained_and_those_that_did_not(survey, networks, made):
    split, catalog = pd.read_parquet(survey.split), pd.read_parquet(survey.catalog)
    rows = split.merge(catalog, on="objID")[3:]  # the first three have no image
    arrays = load_file(made / DOMAIN)
    trained = rows["subset"] == "train"
    assert arrays["y_train"] == pytest.approx(np.log1p(rows.loc[trained, "z"]))
    for part, chosen in (("train", trained), ("val", ~trained)):
        mag = rows.loc[chosen, [f"dered_{band}" for band in "ugriz"]].to_numpy(np.float32)
        assert arrays[f"phot_{part}"].tolist() == mag.tolist()
        assert arrays[f"img_{part}"].shape == mag.shape
    info = ModelInfo.read(networks[1][0])
    store = ImageStore(survey.index, survey.cutouts)
    flux = aperture_flux(*store.gather(store.rows(rows.loc[~trained, "objID"].to_numpy())))
    assert arrays["img_val"] == pytest.approx(image_features(flux, info.sky_noise), rel=1e-6)


def test_at_most_so_many_objects_are_kept_and_half_a_training_is_half(survey, networks, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 20)
    write_domain(**survey._asdict(), info=networks[1][0], domain=tmp_path / "a")
    assert {len(values) for values in load_file(tmp_path / "a").values()} == {20}


def test_strange_objects_are_flagged_at_the_threshold_of_the_bundle(made, copy, survey, targets, change_facts):
    images = images_of(targets["objID"], survey.index, survey.cutouts)
    table = predict(targets, load_bundle(made), images)
    assert table["out_of_domain"].tolist() == (table["domain_p"] <= 0.05).tolist()
    assert table["domain_p"].notna().all()
    assert table["out_of_domain"].mean() < 0.1
    odd = targets.assign(dered_u=targets["dered_u"] + 4)
    assert predict(odd, load_bundle(made))["out_of_domain"].mean() > 0.9
    assert predict(odd, load_bundle(made), images)["out_of_domain"].mean() > 0.9
    change_facts(copy, lambda facts: facts["domain"].update(threshold=0.5))
    assert predict(targets, load_bundle(copy), images)["out_of_domain"].tolist() == (table["domain_p"] <= 0.5).tolist()


def test_images_alone_are_measured_too(made, survey, targets):
    images = images_of(targets["objID"], survey.index, survey.cutouts)
    alone = targets[["objID"]]
    table = predict(alone, load_bundle(made), images)
    assert table["domain_p"].notna().tolist() == [False] * 3 + [True] * (len(targets) - 3)
    shuffled = np.random.default_rng(0).permutation(len(targets))
    other = images._replace(store=_Dimmed(images.store), row=images.row[shuffled])
    assert predict(alone, load_bundle(made), other)["out_of_domain"].mean() > 0.9


class _Dimmed:
    """Images without the light of one band."""

    def __init__(self, store):
        self.store = store

    def gather(self, rows):
        image, mask = self.store.gather(rows)
        image[:, 2] = 0
        return image, mask


def test_a_bundle_that_was_made_without_says_so(made, copy, targets, change_facts, caplog):
    (copy / DOMAIN).unlink()
    change_facts(copy, lambda facts: [facts["domain"].pop(name) for name in ("reference", "threshold")])
    table = predict(targets, load_bundle(copy))
    assert "does not know how far objects lie from its training" in caplog.text
    assert table["domain_p"].isna().all()
    assert not table["out_of_domain"].any()
    assert table["z_phot"].tolist() == predict(targets, load_bundle(made))["z_phot"].tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: arrays.pop("img_val"), "not the arrays"),
        (lambda arrays: arrays.pop("y_train"), "not the arrays"),
        (lambda arrays: arrays["y_train"].fill(np.nan), "redshifts that are no numbers"),
        (lambda arrays: arrays.update(phot_val=arrays["phot_val"][:, :4].copy()), "not the arrays"),
        (lambda arrays: arrays.update(phot_val=arrays["phot_val"].astype(np.int32)), "not the arrays"),
        (lambda arrays: arrays.update(phot_val=arrays["phot_val"][:-1].copy()), "other numbers"),
        (
            lambda arrays: arrays.update(
                {name: np.resize(arrays[name], (3000, *arrays[name].shape[1:])) for name in arrays}
            ),
            "other numbers",
        ),
    ],
)
def test_arrays_that_are_none_of_a_domain_are_refused(made, networks, tmp_path, change, words):
    arrays = load_file(made / DOMAIN)
    change(arrays)
    save_file(arrays, tmp_path / "domain.safetensors")
    with pytest.raises(CrosszError, match=f"domain.safetensors: {words}"):
        read_domain(tmp_path / "domain.safetensors", ModelInfo.read(networks[1][0]))


@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_a_damaged_file_is_refused(networks, tmp_path, content):
    (tmp_path / "domain.safetensors").write_bytes(content)
    with pytest.raises(CrosszError, match=r"domain\.safetensors: not readable"):
        read_domain(tmp_path / "domain.safetensors", ModelInfo.read(networks[1][0]))


@pytest.mark.parametrize("threshold", [0, 1.5, "few", True, None])
def test_a_threshold_that_is_none_is_refused(copy, change_facts, threshold):
    change_facts(copy, lambda facts: facts["domain"].update(threshold=threshold))
    with pytest.raises(CrosszError, match=r"bundle.json: domain: no threshold between 0 and 1"):
        load_bundle(copy)


def test_missing_columns_of_a_survey_count_where_they_are_known(survey, networks, tmp_path):
    catalog = rewrite(survey.catalog, tmp_path, toy.told)
    info = ModelInfo.read(networks[1][0]).with_fields(columns=("w1mpro",))
    info.write(tmp_path / "model.json")
    write_domain(**survey._replace(catalog=catalog)._asdict(), info=tmp_path / "model.json", domain=tmp_path / "d")
    table = pd.read_parquet(catalog)
    values = table[[*(f"dered_{band}" for band in "ugriz"), "w1mpro"]].replace(-9999, np.nan).to_numpy(copy=True)
    domain = read_domain(tmp_path / "d", info)
    img = np.full((len(values), 5), np.nan)
    assert (domain.p({"phot": values, "img": img}) <= 0.05).mean() < 0.1
    values[:, 5] += 30
    strange = domain.p({"phot": values, "img": img}) <= 0.05
    assert strange[np.isfinite(values[:, 5])].all()
    assert not strange[np.isnan(values[:, 5])].all()


@pytest.mark.parametrize("count", [5, 20, 160, 161, 192, 2000])
def test_the_smallest_distances_are_found_in_groups(count):
    values = torch.from_numpy(np.random.default_rng(count).normal(size=(40, count)))
    values[3] = 1.0
    found, which = module._smallest(values)
    torch.testing.assert_close(found, values.gather(1, which), rtol=0, atol=0)
    torch.testing.assert_close(found.sort(1).values, values.sort(1).values[:, :5], rtol=0, atol=0)
