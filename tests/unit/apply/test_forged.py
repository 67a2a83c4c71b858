"""Bundles and cutouts that somebody forged, with checksums that agree: refused before they cost memory or show anything."""

import io
import math
import os
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from toy_images import write_cutout_file

from crossz.apply import cli
from crossz.apply.bundle import load_bundle
from crossz.apply.bundle_folder import CARD, check
from crossz.apply.predict import images_in, predict
from crossz.core.errors import CrosszError
from crossz.images.arrow import write_arrays

FORGED = {
    "no splits": lambda facts: facts.update(splits=[]),
    "a million layers": lambda facts: facts["crossmodal"].update(attention_layers=1_000_000),
    "a million layers behind the images": lambda facts: facts["crossmodal"].update(image_mlp_layers=1_000_000),
    "a domain that is none": lambda facts: facts.update(domain=None),
    "words for a count": lambda facts: facts["domain"].update(objects="many"),
    "words for redshifts": lambda facts: facts["domain"]["features"].update(z=["low", "high"]),
    "no count": lambda facts: facts["domain"].pop("objects"),
    "a count of 4,000 digits": lambda facts: facts["domain"].update(objects=10**4000),
    "scores that are a list": lambda facts: facts.update(ensemble={"scores": [1]}),
    "scores of words": lambda facts: facts.update(ensemble={"scores": {"phot": {"rmse": "low"}}}),
    "a temperature without end": lambda facts: facts.update(ensemble={"temperature": {"phot+img": 1e300}}),
    "weights in a number": lambda facts: facts["splits"][0].update(weights=1.5),
    "a list of facts": lambda facts: facts.update(made=[]),
    "no number": lambda facts: facts["crossmodal"].update(attention_layers="x"),
    "a huge head": lambda facts: facts["crossmodal"].update(components=10**9),
    "another backbone": lambda facts: facts["crossmodal"].update(backbone="vit_h_14", stem="imagenet"),
    "a script": lambda facts: facts.update(classes=["<script>alert(1)</script>", "b"]),
    "a name with an escape": lambda facts: facts.update(dataset="\x1b[31m"),
    "networks that are a word": lambda facts: facts["splits"][0].update(members="a"),
    "many networks": lambda facts: facts["splits"][0].update(members=[{}] * 10_000),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_description_is_refused(copy, change_facts, kind):
    change_facts(copy, FORGED[kind])
    with pytest.raises(CrosszError, match=r"bundle\.json|safetensors"):
        load_bundle(copy)


def test_a_deeply_nested_description_is_refused(copy, forge):
    (copy / "bundle.json").write_text('{"a":' * 100_000)
    forge(copy)
    with pytest.raises(CrosszError, match=r"bundle\.json"):
        load_bundle(copy)


def test_a_description_of_many_megabytes_is_refused_before_it_is_parsed(copy, forge):
    (copy / "bundle.json").write_text("[" + "[]," * 3_000_000 + "[]]")
    forge(copy)
    with pytest.raises(CrosszError, match=r"bundle\.json: .* bytes"):
        load_bundle(copy)


def test_a_link_in_a_bundle_is_refused(copy, tmp_path, forge):
    (tmp_path / "secret").write_text("a secret")
    (copy / CARD).unlink()
    os.symlink(tmp_path / "secret", copy / CARD)
    forge(copy)
    with pytest.raises(CrosszError, match=r"card\.md: a link"):
        check(copy)


def test_a_card_gives_no_orders_to_a_terminal(copy, forge, capsys):
    (copy / CARD).write_text("# a card\x1b]0;title\x07 \x9b31m\n\nits text\n")
    forge(copy)
    cli.main(["info", str(copy)])
    shown = capsys.readouterr().out
    assert "its text" in shown
    assert not set(shown) & {"\x1b", "\x07", "\x9b"}


def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(made, targets, tmp_path):
    table = targets.head(3).astype({"objID": str})
    table["objID"] = ["=cmd|' /C calc'!A0", "@x", "-5"]
    table.to_csv(tmp_path / "mine.csv", index=False)
    cli.main(["predict", str(made), str(tmp_path / "mine.csv"), str(tmp_path / "out.csv")])
    assert pd.read_csv(tmp_path / "out.csv", dtype=str)["objID"].tolist() == ["'=cmd|' /C calc'!A0", "'@x", "-5"]


def test_images_alone_are_enough(made, survey, targets, tmp_path):
    targets[["objID"]].tail(5).to_csv(tmp_path / "mine.csv", index=False)
    cutouts = list(map(str, survey.cutouts))
    out = tmp_path / "out.csv"
    cli.main(["predict", str(made), str(tmp_path / "mine.csv"), str(out), "--cutouts", *cutouts])
    found = pd.read_csv(out)
    assert set(found["inputs"]) == {"phot_gen+img"}
    assert found["z_phot"].notna().all()


def test_an_image_with_pixels_that_are_no_numbers_is_not_used(made, targets, tmp_path):
    number = targets["objID"].to_numpy()[:2]
    path = tmp_path / "0.arrow"
    write_cutout_file(path, number, ["ok", "ok"], np.random.default_rng(0))
    from crossz.images.arrow import read_arrays

    columns = {name: np.array(values) for name, values in read_arrays(path).items()}
    columns["image"][0, 2, 5, 5] = np.nan
    columns["status"] = columns["status"].tolist()
    write_arrays(path, columns)
    found = predict(targets.head(2), load_bundle(made), images_in([path], number))
    assert found["image"].tolist() == ["not_finite", "ok"]
    assert found["inputs"].tolist() == ["phot+img_gen", "phot+img"]


@pytest.mark.parametrize("shape", [(2, 5, 32, 32), (2, 3, 64, 64)])
def test_cutouts_of_another_shape_are_refused(tmp_path, shape):
    mask = np.zeros((2, 64, 64), np.uint8)
    columns = {"objID": np.array([1, 2]), "status": ["ok"] * 2, "image": np.zeros(shape, np.float16), "mask": mask}
    write_arrays(tmp_path / "0.arrow", columns)
    with pytest.raises(CrosszError, match=r"0\.arrow: image is float16 .*wanted float16 \(5, 64, 64\)"):
        images_in([tmp_path / "0.arrow"], ["1"])


def _tensor(dtype, *shape, mask=None):
    kind = pa.fixed_shape_tensor(dtype, shape[1:])
    flat = pa.array(np.zeros(math.prod(shape), dtype.to_pandas_dtype()))
    cells = pa.FixedSizeListArray.from_arrays(flat, math.prod(shape[1:]), mask=mask)
    return pa.ExtensionArray.from_storage(kind, cells)


def _cutout_bytes(*batches, names=("objID", "status", "image", "mask"), bands=b"ugriz", **changes):
    """A cutout file of two objects, in `batches` of (first, end) rows."""
    columns = {
        "objID": pa.array([1, 2]),
        "status": pa.array(["ok", "ok"]),
        "image": _tensor(pa.float16(), 2, 5, 64, 64),
        "mask": _tensor(pa.uint8(), 2, 64, 64),
    } | changes
    metadata = {b"bands": bands, b"units_per_nmgy": b"16.0"}
    table = pa.Table.from_arrays([columns[name] for name in names], names=names).replace_schema_metadata(metadata)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        for first, end in batches or [(0, 2)]:
            writer.write_table(table.slice(first, end - first))
    return sink.getvalue()


def _forged_cutouts(kind):
    if kind == "batches":
        return _cutout_bytes((0, 1), (1, 2))
    if kind == "twice":
        return _cutout_bytes(names=("objID", "status", "image", "mask", "status"))
    if kind == "bands":
        return _cutout_bytes(bands=b"\xff")
    if kind == "list":
        return _cutout_bytes(status=pa.array([["ok"], ["ok"]]))
    if kind == "long":
        return _cutout_bytes(status=pa.array(["ok", "x" * 101]))
    if kind == "empty":
        return _cutout_bytes(image=_tensor(pa.float16(), 2, 5, 64, 64, mask=pa.array([True, False])))
    good = _cutout_bytes(status=pa.array(["okok", "okokok"]))
    offsets = struct.pack("<iii", 0, 4, 10)
    assert offsets in good
    return good.replace(offsets, struct.pack("<iii", 0, -2_000_000_000, 10))


@pytest.mark.parametrize("kind", ["batches", "twice", "bands", "list", "long", "empty", "offsets"])
def test_a_forged_cutout_file_is_refused_in_words(tmp_path, kind):
    (tmp_path / "good.arrow").write_bytes(_cutout_bytes())
    assert images_in([tmp_path / "good.arrow"], ["2", "1" * 5000, "²"]).row.tolist() == [1, -1, -1]
    (tmp_path / "0.arrow").write_bytes(_forged_cutouts(kind))
    with pytest.raises(CrosszError, match=r"0\.arrow: "):
        images_in([tmp_path / "0.arrow"], ["1"])
