"""The run record names files by their places in the run, wherever a job read them."""

import json

import yaml

from crossz.core.run_record import write_run_record


def test_an_equal_run_gives_equal_bytes_whatever_folder_its_files_are_read_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents = {
        "results/images.counts.json": {"objects": 3},
        "results/models/a/crossmodal/0/model.json": {"device": "cpu"},
    }

    def record(folder):
        for name, content in contents.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(content))
        counts, info = (f"{folder}{name}" for name in contents)
        write_run_record("run.yaml", {"seed": 1}, {}, [counts], [info])
        return (tmp_path / "run.yaml").read_text()

    here = record("")
    assert list(yaml.safe_load(here)["counts"]) == ["results/images.counts.json"]
    assert list(yaml.safe_load(here)["models"]) == ["results/models/a/crossmodal/0"]
    assert record(".snakemake/storage/s3/bucket/my-results/") == here
