"""The configuration: every shipped one is valid, and every mistake is named, all at once."""

import copy

import pytest
import yaml
from helpers import ROOT

from crossz.core.config import BACKBONES, crossmatch_radii, extra_columns, network, problems, seen_columns
from crossz.core.names import DCR

SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def changed(dotted, value):
    config = copy.deepcopy(DEFAULT)
    *path, last = dotted.split(".")
    block = config
    for key in path:
        block = block[key]
    block[last] = value
    return config


@pytest.mark.parametrize("name", ["classes", "galaxies", "best"])
def test_overlays_of_the_embedded_sky_are_valid(name):
    overlay = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    merged = {
        key: value | overlay.get(key, {}) if isinstance(value, dict) else overlay.get(key, value)
        for key, value in DEFAULT.items()
    }
    assert set(overlay) <= set(DEFAULT)
    assert problems(merged, SCHEMA, ROOT) == []


def test_the_default_is_valid():
    assert problems(DEFAULT, SCHEMA, ROOT) == []


@pytest.mark.parametrize(
    ("dotted", "value", "words"),
    [
        ("cutouts.allign", "fourier", "cutouts.allign: unknown key; did you mean align?"),
        ("surveys", "sdss", "surveys: unknown key; did you mean survey?"),
        ("sky.xyzzy", 1, "sky.xyzzy: unknown key; known here: quasars"),
        ("survey", "SDSS", "survey: 'SDSS' is not one of"),
        ("train.learning_rate", "1e-3", "train.learning_rate: YAML reads 1e-3 as text, not as a number; write 1.0e-3"),
        ("cutouts.max_loss", "2E4", "write 2.0e+4"),
        ("cutouts.max_loss", 1.5, "cutouts.max_loss: 1.5 is greater than the maximum of 1 (Largest share"),
        ("train.epochs", "8", "train.epochs: '8' is text; write it without quotes, in a file (--configfile)"),
        ("splits.fractions", [0.6, 0.2, 0.3], "splits.fractions: [0.6, 0.2, 0.3] add up to 1.1, not to 1"),
        (
            "crossmodal.backbone",
            "resnet81",
            "crossmodal.backbone: no network is called resnet81; did you mean resnet18?",
        ),
        ("crossmodal.backbone", "xyzzy", "no network is called xyzzy; there are growth, small, resnet18"),
        ("crossmodal.alpha", 0.9, "leaves no weight for the redshift"),
        ("datasets", ["baseline", "other"], "datasets: other: its query: no file workflow/sql/other.sql"),
        ("datasets", [], "datasets: [] should be non-empty"),
        ("survey", "sdss", "catalog.backend: embedded does not go with survey sdss (sdss: casjobs or skyserver)"),
        ("catalog.backend", "casjobs", "catalog.backend: casjobs does not go with survey embedded"),
        ("archive.sas", ["data.sdss.org"], "archive.sas.0: 'data.sdss.org' does not match"),
        ("survey", "cutouts", "catalog.files.baseline: survey cutouts needs the finished query"),
        (
            "photometry.crossmatch",
            ["allwise"],
            "no other survey has seen the sky of survey embedded; config/loopback.yaml",
        ),
        ("photometry.crossmatch", ["wise"], "photometry.crossmatch.0: 'wise' is not one of ['allwise', 'catwise',"),
        (
            "catalog.crossmatch_radius_arcsec",
            {"allwise": 2.0, "catwise": 2.0, "galex": 3.0},
            "'gaia' is a required property",
        ),
        ("plan.shards", 0, "plan.shards: 0 is less than the minimum of 1"),
        (
            "networks",
            ["crossmodal", "nosuch"],
            "networks: no variant is called nosuch; there are crossmodal, phot, img",
        ),
        (
            "variants.phot",
            {"crossmodal": {"z_pattern": "phot"}},
            "variants.phot.crossmodal.z_pattern: unknown key; did you mean z_patterns?",
        ),
        ("variants.integer", {"cutouts": {"folder": "x"}}, "variants.integer.cutouts.folder: unknown key"),
        ("variants.knn", {"train": {"epochs": 2}}, "variants.knn: that is another model's name"),
        (
            "variants.no_adversary",
            {"crossmodal": {"alpha": 0.95}},
            "variants.no_adversary.crossmodal.alpha + variants.no",
        ),
        ("photometry.columns", ["w1mpro", "ZERR"], "photometry.columns: ZERR (of crossmodal) comes with a spectrum"),
        ("variants.phot", {"photometry": {"columns": ["Z"]}}, "photometry.columns: Z (of phot) comes with a spectrum"),
        ("crossmodal.target", "z", "crossmodal.head: a mixture is of ln(1 + z); set crossmodal.target: log1p"),
        ("task", "classification", "mml.datasets: that baseline estimates redshifts, not classes"),
        ("classes", ["STAR"], "classes: ['STAR'] is too short"),
        ("survey", "photometry", "networks: crossmodal needs images, which survey photometry has not"),
        ("seed", None, "seed: None is not of type 'integer'"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_remedy(dotted, value, words):
    config = changed(dotted, value)
    if dotted.startswith("variants."):
        config["networks"] = ["crossmodal", dotted.split(".")[1]]
    found = problems(config, SCHEMA, ROOT)
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    ("dotted", "value", "words"),
    [
        ("archive.sas", [], "stamps.frames_root: survey sdss needs a folder there; found None"),
        ("stamps.frames_root", "nowhere", "stamps.frames_root: survey sdss needs a folder there; found nowhere"),
        ("stamps.fetch", "rows", "stamps.fetch: 'rows' is not one of"),
        ("stamps.keep_frames", True, "stamps.keep_frames: say in stamps.frames_root where"),
        ("archive.login", "http://example.org/login", "archive.login: a login goes there, so it has to be https"),
        ("archive.casjobs", "https://me:secret@example.org", "archive.casjobs: no login in an address"),
        ("archive.sas", ["https://me:secret@example.org/sas"], "archive.sas: no login in an address"),
        ("archive.xmatch", "http://me:secret@example.org", "archive.xmatch: no login in an address"),
        ("archive.sas", ["http://[::1"], "archive.sas: 'http://[::1' is no address"),
        ("archive.sas", ["http://a:99999"], "archive.sas: 'http://a:99999' is no address"),
        ("archive.skyserver", "http://", "archive.skyserver: 'http://' does not match"),
        ("archive.skyserver", "http://a b/", "archive.skyserver: 'http://a b/' does not match"),
        ("archive.skyserver", "http://a\x1b[31m", "archive.skyserver: 'http://a\\x1b[31m' has character"),
        ("datasets", ["baseline", "stars"], "datasets: stars: its query: no file workflow/sql/stars.sql"),
    ],
)
def test_the_real_survey_s_mistakes_are_named(dotted, value, words):
    config = changed(dotted, value)
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    assert [words] == [found[: len(words)] for found in problems(config, SCHEMA, ROOT)]


def test_the_backbones_are_those_that_torchvision_has():
    import torchvision

    families = ("resnet", "resnext", "wide_resnet", "convnext", "vit")
    there = torchvision.models.list_models(torchvision.models)
    assert set(BACKBONES) - {"growth", "small"} == {name for name in there if name.startswith(families)}


def test_rows_beside_a_dataset_say_what_they_are():
    block = {"file": "Makefile", "units": "asinh", "z": None}
    config = changed("catalog.also", {"more": block, "gone": block | {"file": "gone.csv"}})
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    assert [line for line in problems(config, SCHEMA, ROOT) if "also" in line] == [
        "catalog.also.gone: no file gone.csv"
    ]
    config = changed("catalog.also", {"more": block})
    assert any(
        "catalog.also: rows beside a dataset are for redshifts" in line for line in problems(config, SCHEMA, ROOT)
    )
    for name in block:
        config = changed("catalog.also", {"more": {key: value for key, value in block.items() if key != name}})
        assert any(f"'{name}' is a required property" in line for line in problems(config, SCHEMA, ROOT)), name


def test_only_whole_frames_are_kept():
    config = changed("stamps", DEFAULT["stamps"] | {"keep_frames": True, "frames_root": ".", "fetch": "blocks"})
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    line = "stamps.keep_frames: only whole frames are kept; set stamps.fetch: whole"
    assert problems(config, SCHEMA, ROOT) == [line]
    config["stamps"]["fetch"] = "whole"
    assert problems(config, SCHEMA, ROOT) == []


def test_images_of_others_are_not_aligned_anew():
    config = changed("networks", ["crossmodal", "integer", "phot"])
    config["survey"] = "cutouts"
    wrong = [line for line in problems(config, SCHEMA, ROOT) if "aligned" in line]
    assert wrong == ["networks: integer needs images aligned anew; those of survey cutouts are aligned already"]
    config["survey"] = "embedded"
    assert problems(config, SCHEMA, ROOT) == []


def test_dcr_stands_for_its_columns():
    config = changed("photometry", {"magnitudes": "psf", "features": "colours", "columns": ["dcr"], "crossmatch": []})
    assert seen_columns(config["photometry"]) == extra_columns(config) == list(DCR)
    assert network(config, "crossmodal")["photometry"]["columns"] == list(DCR)


def test_a_column_comes_from_one_place():
    config = changed(
        "photometry", {"magnitudes": "psf", "features": "colours", "columns": ["Allwise_W1"], "crossmatch": ["allwise"]}
    )
    config["survey"], config["catalog"]["backend"] = "sdss", "skyserver"
    assert problems(config, SCHEMA, ROOT) == [
        "photometry.columns: Allwise_W1 is a column of photometry.crossmatch; name it in one of them"
    ]


def test_each_network_sees_the_columns_of_its_own_surveys():
    config = changed(
        "photometry", {"magnitudes": "psf", "features": "colours", "columns": ["pm"], "crossmatch": ["galex"]}
    )
    assert seen_columns(config["photometry"]) == ["pm", "galex_fuv", "galex_fuv_err", "galex_nuv", "galex_nuv_err"]
    config["networks"] = ["crossmodal", "without", "other"]
    config["variants"] = {
        "without": {"photometry": {"columns": [], "crossmatch": []}},
        "other": {"photometry": {"columns": ["w1"], "crossmatch": ["allwise"]}},
    }
    assert network(config, "crossmodal")["photometry"] == {
        "magnitudes": "psf",
        "features": "colours",
        "columns": seen_columns(config["photometry"]),
    }
    assert network(config, "without")["photometry"] == {"magnitudes": "psf", "features": "colours", "columns": []}
    assert network(config, "other")["photometry"]["columns"][:2] == ["w1", "allwise_w1"]
    assert extra_columns(config) == ["pm", "w1"]
    assert crossmatch_radii(config) == {"allwise": 2.0, "galex": 3.0}
    config["variants"]["other"]["photometry"]["crossmatch"] = ["wise"]
    assert problems(config, SCHEMA, ROOT)[0].startswith("variants.other.photometry.crossmatch.0: 'wise' is not one of")


def test_a_missing_key_is_named():
    config = copy.deepcopy(DEFAULT)
    del config["splits"]["count"]
    assert problems(config, SCHEMA, ROOT) == ["splits: 'count' is a required property"]


def test_all_mistakes_are_listed_at_once():
    config = changed("cutouts.allign", "fourier")
    config["seed"] = "x"
    config["splits"]["count"] = 0
    assert len(problems(config, SCHEMA, ROOT)) == 3


def test_every_key_is_described_and_the_default_has_them_all():
    def walk(schema, config, path):
        for key, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{path}{key} has no description"
            assert key in config, f"{path}{key} has no default"
            walk(part, config[key] if isinstance(config[key], dict) else {}, f"{path}{key}.")

    walk(yaml.safe_load(SCHEMA.read_text()), DEFAULT, "")
