"""Tables as pages: every cell as it stands in its file, nothing of it taken for HTML."""

import re

import pytest
import yaml
from browser import CHROMIUM, browser

from crossz.report import pages

TABLE1 = """# Table 1

Each cell: ours (printed).

| dataset | model | dz < 0.1 (%) |
|---|---|---|
| baseline | crossmodal | 80.12 ± 1.19 (82.05) |

## More rows

| dataset | model | dz < 0.1 (%) |
|---|---|---|
| baseline | knn | **66.96** <b>x</b> |
"""
RECORD = {
    "config": {
        "survey": "embedded",
        "datasets": ["baseline"],
        "task": "redshift",
        "networks": ["crossmodal"],
        "splits": {"count": 5},
    },
    "counts": {"results/catalog/baseline.counts.json": {"objects": 1273}},
}


@pytest.fixture
def made(tmp_path):
    """The pages of a run by name."""
    figure = tmp_path / "results/figures/baseline/crossmodal/phot+img.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"\x89PNG")
    (tmp_path / "table1.md").write_text(TABLE1)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RECORD))
    (tmp_path / "metrics.csv").write_text("model,rmse\nmlp,0.13\nknn,0.2\nmean,0.05\n")
    names = ["table1.md", "metrics.csv", "run.yaml"]
    out = {name: tmp_path / f"pages/{name.partition('.')[0]}.html" for name in [*names, "start"]}
    pages.write_pages(
        tables=[tmp_path / name for name in names],
        figure=figure,
        start=out["start"],
        pages=[out[name] for name in names],
    )
    return out


def test_a_table_has_the_cells_of_its_file_and_obeys_none(made):
    text = made["table1.md"].read_text()
    assert '<td class="number">80.12 ± 1.19 (82.05)</td>' in text
    assert "<b>66.96</b> &lt;b&gt;x&lt;/b&gt;" in text
    assert "<h2>More rows</h2>" in text
    assert "|---" not in text
    assert re.findall(r"<th>(.*?)</th>", made["metrics.csv"].read_text()) == ["model", "rmse"]
    assert "objects: 1273" in made["run.yaml"].read_text()


def test_the_first_page_says_what_the_run_is_and_has_no_script(made):
    text = made["start"].read_text()
    assert "a synthetic sky that comes with crossz" in text
    assert "baseline: 1,273 objects" in text
    assert "80.12" in text
    assert "66.96" not in text  # Table 1 alone
    assert "data:image/png;base64,iVBORw==" in text
    assert "<script" not in text  # the report holds the page in a string of a script


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_table_sorts_and_filters(made, tmp_path):
    rows = (
        "[...document.querySelectorAll('tbody tr')].filter((row) => !row.hidden).map((row) => row.cells[0].textContent)"
    )
    with browser(tmp_path / "profile") as tab:
        tab.open(made["metrics.csv"], 1280)
        assert tab.run(rows) == ["mlp", "knn", "mean"]
        tab.run("document.querySelectorAll('th')[1].click()")
        assert tab.run(rows) == ["mean", "mlp", "knn"]
        tab.run("document.querySelectorAll('th')[1].click()")
        assert tab.run(rows) == ["knn", "mlp", "mean"]
        tab.run("(() => { const box = document.querySelector('input'); box.value = 'KN'; box.oninput(); })()")
        assert tab.run(rows) == ["knn"]
        assert not tab.errors
