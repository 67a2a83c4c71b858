"""Names: paths and their inverse, and that schema, figures and rules know the same models and inputs."""

import ast
import importlib
import pkgutil
import re
import string
import sys

import pytest
import yaml
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from crossz import report
from crossz.core import names, paths

DATASET = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20)
MODEL = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=20)
SPLIT = st.integers(0, 10**6)
INPUTS = st.sampled_from(names.INPUTS)
FOLDER = st.sampled_from(["", "/", "../", "/a/b c/", "results/models/x/y/0/"])


@given(FOLDER, DATASET, MODEL, SPLIT, INPUTS, st.sampled_from(["model.pt", "model.json", "history.csv"]))
def test_what_is_put_into_a_path_comes_out_of_it(folder, dataset, model, split, inputs, file):
    assert paths.parse_catalog(folder + paths.catalog_path(dataset)) == (dataset,)
    assert paths.parse_split(folder + paths.split_path(dataset, split)) == (dataset, split)
    assert paths.parse_model(folder + paths.model_path(dataset, model, split, file)) == (dataset, model, split, file)
    path = paths.predictions_path(dataset, model, split, inputs)
    assert paths.parse_predictions(folder + path) == (dataset, model, split, inputs)
    figure = paths.estimates_figure_path(dataset, model, inputs)
    assert paths.parse_estimates_figure(folder + figure) == (dataset, model, inputs)
    assert paths.parse_estimates_figure(folder + figure.replace(".png", ".pdf")) == (dataset, model, inputs)


def test_the_folder_above_the_names_does_not_matter():
    assert paths.parse_predictions("elsewhere/baseline/knn/3/phot.parquet").split == 3


@pytest.mark.parametrize(
    "path",
    ["", "phot.parquet", "knn/0/phot.parquet", "a/knn/x/phot.parquet", "a/KNN/0/phot.parquet", "a/knn/0/phot.csv",
     "a/knn/0/phot.parquet/b", "a/knn/0/phot.parquet\n", "a b/knn/0/phot.parquet"],
)  # fmt: skip
def test_another_path_is_an_error_that_names_it(path):
    with pytest.raises(ValueError, match=r"does not end as results/predictions/\{dataset\}"):
        paths.parse_predictions(path)


def test_every_wildcard_of_a_template_has_its_constraint():
    templates = [value for name, value in vars(paths).items() if name.isupper() and str(value).startswith("results/")]
    assert len(templates) == 5
    for template in templates:
        assert set(re.findall(r"\{(\w+)\}", template)) <= set(paths.WILDCARDS)


def test_the_module_imports_no_more_than_the_standard_library_and_constants():
    tree = ast.parse((ROOT / "src/crossz/core/names.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported - {"crossz.core.constants"}} <= set(sys.stdlib_module_names)


def test_the_schema_lists_the_same_models_and_inputs():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())["properties"]
    assert tuple(schema["references"]["properties"]["models"]["items"]["enum"]) == names.REFERENCES
    trained = schema["crossmodal"]["properties"]["z_patterns"]["enum"]
    assert set(trained) == {"all", "real", *names.ALONE}


def test_comparison_knows_inputs_that_exist():
    from crossz.scores import comparison

    assert {*comparison.SAME_DATA, *comparison.SAME_DATA.values()} <= set(names.INPUTS)


def test_every_input_of_a_network_has_a_look_in_figures():
    modules = [
        importlib.import_module(f"crossz.report.{module.name}") for module in pkgutil.iter_modules(report.__path__)
    ]
    looks = next(module.LOOKS for module in modules if hasattr(module, "LOOKS"))
    assert {*names.PATTERNS, *names.ALONE} <= set(looks) <= set(names.INPUTS)
