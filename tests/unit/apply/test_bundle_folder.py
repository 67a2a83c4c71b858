"""The files of a bundle: complete, undamaged, of this format, or refused."""

import os
import shutil
import zipfile

import numpy as np
import pytest
from bundles import exported

from crossz.apply import bundle_folder
from crossz.apply.bundle_folder import CARD, FACTS, FORMAT, SUMS, check, fingerprint, opened, pack, table_columns, write
from crossz.core.errors import CrosszError
from crossz.core.version import VERSION


def refusal(folder):
    with pytest.raises(CrosszError) as caught:
        check(folder)
    return str(caught.value)


def test_the_columns_of_a_table_of_targets_follow_from_the_magnitudes():
    assert table_columns("dered_model", ["w1mpro"])[::5] == ["dered_u", "psfMagErr_u", "w1mpro"]
    assert table_columns("psf")[::5] == ["psfMag_u", "psfMagErr_u", "extinction_u"]


def test_equal_networks_give_equal_bytes_and_one_file_holds_them_all(survey, networks, made, tmp_path):
    again = exported(survey, networks, tmp_path / "toy-crossmodal")
    assert fingerprint(again) == fingerprint(made)
    (again / ".DS_Store").write_text("left by a system")
    for folder, name in ((made, "a.zip"), (again, "b.zip")):
        pack(bundle=folder, archive=tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}
        archive.extractall(tmp_path / "unpacked")
    assert fingerprint(tmp_path / "unpacked/toy-crossmodal") == fingerprint(made)
    check(tmp_path / "unpacked/toy-crossmodal")


def test_one_flipped_byte_in_any_file_is_refused(copy):
    rng = np.random.default_rng(1)
    for path in sorted(copy.iterdir(), key=lambda path: path.name == SUMS):
        content = path.read_bytes()
        for place in (0, len(content) - 1, *rng.integers(len(content), size=10)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            with pytest.raises(CrosszError, match=path.name if path.name != SUMS else str(copy)):
                check(copy)
        path.write_bytes(content)
    check(copy)
    (copy / SUMS).write_bytes(content + b"and a line\n")
    assert "SHA256SUMS: damaged" in refusal(copy)


def test_files_that_are_incomplete_missing_or_strange_are_named_all_at_once(copy):
    weights = copy / "split-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (copy / CARD).unlink()
    (copy / "model.pt").write_text("a stranger")
    message = refusal(copy)
    assert "3 problem(s)" in message
    assert "card.md: missing" in message
    assert "model.pt: does not belong to the bundle" in message
    assert "split-0.safetensors: not the bytes" in message
    assert "get the bundle again" in message


def test_an_incomplete_description_is_refused_even_with_matching_checksums(copy, forge):
    text = (copy / FACTS).read_text()
    for stop in (0, 1, 50, len(text) // 2, len(text) - 3):
        (copy / FACTS).write_text(text[:stop])
        forge(copy)
        assert "bundle.json: not a crossz bundle's, or cut" in refusal(copy)
    (copy / FACTS).write_text("[1, 2]")
    forge(copy)
    assert "bundle.json: not a crossz bundle's" in refusal(copy)


def test_another_format_is_named_with_what_reads_it(copy, change_facts):
    change_facts(copy, lambda facts: facts.update(format=FORMAT + 1))
    assert f"format {FORMAT + 1}; crossz {VERSION} reads format {FORMAT}" in refusal(copy)
    change_facts(copy, lambda facts: facts.pop("splits"))  # a later format need not have what ours has
    assert f"format {FORMAT + 1};" in refusal(copy)


def test_weights_are_taken_from_the_bundle_alone(copy, change_facts):
    outside = copy.parent / "other.safetensors"
    (copy / "split-0.safetensors").rename(outside)
    change_facts(copy, lambda facts: facts["splits"][0].update(weights="../other.safetensors"))
    assert "../other.safetensors: not what bundle.json names" in refusal(copy)


def test_what_is_no_bundle_is_named(copy, tmp_path):
    assert "no such bundle" in refusal(tmp_path / "nothing")
    assert "unpack it first" in refusal(copy / CARD)
    assert "not a crossz bundle: it has no SHA256SUMS" in refusal(tmp_path)


def test_a_bundle_appears_complete_replaces_an_older_one_and_nothing_else(tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    write(folder, {"a": b"1", "b": b"2"})
    monkeypatch.setattr(bundle_folder.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write(folder, {"a": b"3"})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert (folder / "a").read_bytes() == b"1"
    write(folder, {"a": b"3"})
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "a"]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter1").write_text("years")
    with pytest.raises(CrosszError, match="something else than a bundle"):
        write(tmp_path / "thesis", {"a": b"1"})
    assert (tmp_path / "thesis/chapter1").read_text() == "years"


def test_a_damaged_bundle_is_not_packed(copy, tmp_path):
    shutil.copy(copy / FACTS, copy / CARD)
    with pytest.raises(CrosszError, match=r"card.md: not the bytes"):
        pack(bundle=copy, archive=tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_zip_file_is_opened_for_a_while_and_others_are_refused(made, tmp_path):
    pack(bundle=made, archive=tmp_path / "toy.zip")
    with opened(tmp_path / "toy.zip") as folder:
        assert fingerprint(folder) == fingerprint(made)
        check(folder)
    assert not folder.exists()
    with opened(made) as folder:
        assert folder == made
    whole = (tmp_path / "toy.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.zip").write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    with zipfile.ZipFile(tmp_path / "name.zip", "w") as archive:
        archive.writestr("a/é", b"1")
    (tmp_path / "name.zip").write_bytes((tmp_path / "name.zip").read_bytes().replace("é".encode(), b"\xff\xff"))
    for name in ("cut.zip", "flipped.zip", "name.zip"):
        with (
            pytest.raises(CrosszError, match=rf"{name}: no zip file of a bundle, or a damaged one"),
            opened(tmp_path / name),
        ):
            pass


def test_a_zip_file_that_would_fill_the_disk_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"a/split-{number}.safetensors", bytes(1 << 20))
    with pytest.raises(CrosszError, match=r"bomb\.zip: it would fill 3,145,728 bytes"), opened(tmp_path / "bomb.zip"):
        pass


@pytest.mark.parametrize(
    "names", [["../a/b"], ["a/../b"], ["/a"], ["a"], ["a/b", "c/d"], ["a/b/c"], ["a/.b"], ["a\\b/c"], []]
)
def test_a_zip_file_of_something_else_writes_nothing(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    with pytest.raises(CrosszError, match=r"odd\.zip: a zip file of something else"), opened(tmp_path / "odd.zip"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["odd.zip"]


def test_a_pipe_in_place_of_a_bundle_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "b.zip")
    with pytest.raises(CrosszError, match=r"b\.zip: no such bundle"), opened(tmp_path / "b.zip"):
        pass
