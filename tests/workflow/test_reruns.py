"""README's tables of what reruns, row by row, on the graphs of finished runs whose files hold their own names."""

import copy
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from project import ROOT, copied, planned

ONE = {"plan": {"shards": 1}, "splits": {"count": 1}, "references": {"models": ["mean"]}}
EMBEDDED = ONE | {"networks": ["crossmodal", "point", "integer"]}
CROSSMATCHED = {"photometry": {"crossmatch": ["allwise"]}}
ARCHIVE = ONE | {"survey": "sdss", "catalog": {"backend": "casjobs"}, "mml": {"datasets": []}}

# Rules, from the last to the first: what a change of each kind reaches.
RECORD = {"metrics", "figure_models", "pages"}
BINNED = {"metrics_binned", "figure_error_vs_z", "pages"}
SCORES = RECORD | BINNED | {"comparison"}
EVALUATED = SCORES | {"evaluate", "stack", "figure_estimates", "figure_calibration", "figure_gallery"}
NETWORKS = EVALUATED | {"train", "figure_learning"}
MODELS = NETWORKS | {"references", "trees", "mml"}
SPLITS = MODELS | {"splits"}
IMAGES = SPLITS | {"images", "gate"}
ALIGNED = IMAGES | {"cutouts"}
STAMPS = ALIGNED | {"cutouts_aligned", "stamps"}
CATALOG = STAMPS | {"catalog", "plan", "spectra", "figure_redshifts"}
SKY = CATALOG | {"embedded_sky", "embedded_spectra", "query"}

ROWS: dict[str, list[tuple[dict, set[str]]]] = {
    "`sky` or `seed`": [({"sky": {"quasars": 300}}, SKY), ({"seed": 1}, SKY)],
    "a file of `workflow/sql/`": [({"file": "workflow/sql/baseline.sql"}, CATALOG | {"query"})],
    "`catalog.group_radius_arcsec`": [({"catalog": {"group_radius_arcsec": 2.0}}, CATALOG)],
    "`stamps.edges`": [({"stamps": {"edges": "mask"}}, STAMPS)],
    "`cutouts.max_loss`": [({"cutouts": {"max_loss": 0.9}}, RECORD)],
    "`cutouts.align`": [({"cutouts": {"align": "reproject"}}, ALIGNED)],
    "`splits`": [({"splits": {"fractions": [0.5, 0.25, 0.25]}}, SPLITS)],
    "`photometry.magnitudes`": [({"photometry": {"magnitudes": "psf"}}, MODELS)],
    "`photometry.columns`": [({"photometry": {"columns": ["pm"]}}, CATALOG | {"query"})],
    "`crossmodal`, `train`": [({"crossmodal": {"dropout": 0.15}}, NETWORKS), ({"train": {"epochs": 3}}, NETWORKS), ({"train": {"start": "sdss-dr5q"}}, {"start"} | NETWORKS)],
    "`networks`, `variants`": [
        ({"networks": [*EMBEDDED["networks"], "softmax"]}, SCORES | {"train softmax", "evaluate softmax"}),
        ({"variants": {"point": {"crossmodal": {"head": "point", "dropout": 0.15}}}}, SCORES | {"train point", "evaluate point"}),
        ({"networks": ["crossmodal", "point"]}, SCORES),
    ],
    "`stack`": [({"stack": False}, SCORES)],
    "`references`, `mml`": [
        ({"references": {"models": ["mean", "knn"]}}, SCORES | {"references"}),
        ({"mml": {"epochs": 3}}, SCORES | {"mml"}),
    ],
}  # fmt: skip
"""First cell of a row: changes of the configuration, or a line more in a file, and the rules that run.

`train point`: of that model alone.
"""
ALSO = {"also": {"more": {"file": "config/config.yaml", "units": "asinh", "z": None}}}
MATCHED = {"crossmatch", "references", "trees"} | NETWORKS  # with ARCHIVE, which has no spectral baseline
ARCHIVE_ROWS = {
    "`catalog.also`": [({"catalog": ALSO}, {"also"} | NETWORKS)],
    "`photometry.crossmatch`, `catalog.crossmatch_radius_arcsec`": [(CROSSMATCHED, MATCHED)],
    "`archive`, `catalog.backend`, `stamps.fetch`": [
        ({"archive": {"sas": ["https://example.org/sas"], "attempts": 2}}, set()),
        ({"catalog": {"backend": "skyserver"}}, RECORD),
        ({"stamps": {"fetch": "blocks"}}, RECORD),
        ({"archive": {"context": "DR18"}}, (CATALOG | {"archive_query"}) - {"spectra", "mml", "cutouts_aligned"}),
    ],
}
FIGURES = {
    "figure_redshifts", "figure_estimates", "figure_error_vs_z", "figure_calibration", "figure_models", "figure_learning",
    "figure_gallery", "pages",
}  # fmt: skip

CODE_ROWS: dict[str, dict[str, set[str]]] = {
    "a comment or a docstring": {},
    "`core`": {"core/verify": set(), "core/checksums": set(), "core/job": set(), "core/hardware": set(), "core/run_record": RECORD},
    "`sdss.bz2_blocks`, `sdss.bz2_stream`, `sdss.frames`, `sdss.hdus`, `images.stamps`": {
        "sdss/bz2_blocks": STAMPS, "sdss/bz2_stream": STAMPS, "images/stamps": STAMPS, "sdss/frames": SKY, "sdss/hdus": SKY,
    },
    "the rest of `sdss`": {
        "sdss/coordinates": SKY, "sdss/identifiers": SKY,
        "sdss/spectra": SCORES | {"embedded_spectra", "spectra", "mml"},
    },
    "`sky`": {"sky/images": SKY},
    "`images.cutouts`": {"images/cutouts": ALIGNED | {"cutouts_aligned"}},
    "`images.arrow`": {"images/arrow": STAMPS | {"spectra"}},
    "`images.store`": {"images/store": MODELS},
    "`images.index`": {"images/index": IMAGES},
    "`images.gate`": {"images/gate": set()},
    "`images.frame_rows`": {"images/frame_rows": set()},
    "`catalog.raw`": {"catalog/raw": CATALOG | {"query"}},
    "`catalog.objects`": {"catalog/objects": CATALOG},
    "`catalog.splits`": {"catalog/splits": SPLITS},
    "`models.features`, `models.rows`, `estimates`": {"models/features": MODELS, "models/rows": MODELS, "estimates/pdf": MODELS},
    "`models.training` and what else it imports of `models`": {
        f"models/{name}": NETWORKS for name in ("training", "crossmodal", "data", "inference", "checkpoint", "info", "backbones")
    },
    "`models.evaluation`": {"models/evaluation": EVALUATED},
    "`models.growing`": {"models/growing": SCORES | {"trees", "stack"}},
    "`scores`": {
        "scores/metrics": SCORES, "scores/binned": BINNED, "scores/comparison": {"comparison"}, "scores/intervals": {"comparison"},
        "scores/qp_export": set(), "scores/ensemble": set(),
    },
    "`report`": {"report/style": set(), "report/gallery": {"figure_gallery"}, "report/models": {"figure_models"}},
    "`apply`": {f"apply/{name}": set() for name in ("predict", "bundle", "html_page", "cli", "export")},
    "`archive`": {"archive/http": set(), "archive/sas": set(), "archive/services": set()},
}  # fmt: skip
"""First cell of a row: modules in which a statement is added, and the rules that run; of some, figures too."""
WITH_FIGURES = ("scores/", "report/", "estimates/")
EDITS = {".py": "EDITED = 1\n", ".sql": "-- more\n"}
BOTH = {"stamps": {"edges": "mask"}, "splits": {"fractions": [0.5, 0.25, 0.25]}, "train": {"epochs": 3}}


@pytest.fixture
def finished(tmp_path):
    """A function: finishes a run of a configuration, and gives a function from changes to the rules that they rerun."""

    def make(config: dict) -> Callable[[dict], set[str]]:
        copied(tmp_path)
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
        for path in {tmp_path / path for job in planned(tmp_path, ["run.yaml"]) for path in job.output}:
            if path.suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(path.name)
            else:
                path.mkdir(parents=True)
        planned(tmp_path, ["run.yaml"], everything=True, executor="touch")
        return lambda changes: reruns(tmp_path, config, changes)

    return make


def reruns(folder: Path, config: dict, changes: dict) -> set[str]:
    """Names of the rules that run after `changes`; a changed file is as before afterwards."""
    config = copy.deepcopy(config)
    for block, value in changes.items():
        if block != "file":
            config[block] = config.get(block, {}) | value if isinstance(value, dict) else value
    path = folder / changes.get("file", "run.yaml")
    before = path.read_text()
    if "file" in changes:
        path.write_text(before + EDITS[path.suffix])
    jobs = planned(folder, ["run.yaml"], config={key: config[key] for key in changes if key != "file"})
    path.write_text(before)
    of_one_model = "networks" in changes or "variants" in changes
    return {
        f"{job.rule.name} {job.wildcards.model}"
        if of_one_model and job.rule.name in ("train", "evaluate")
        else job.rule.name
        for job in jobs
    } - {"all"}


def test_each_row_of_the_embedded_survey(finished):
    rerun = finished(EMBEDDED)
    assert rerun({}) == set()
    for row, changes in ROWS.items():
        for change, expected in changes:
            assert rerun(change) == expected, f"{row}: {change}"
    both = rerun(BOTH)
    assert both == STAMPS | NETWORKS, "a change beyond another one is seen in the same run"


def test_each_row_of_code(finished):
    rerun = finished(EMBEDDED)
    wrong = []
    for modules in CODE_ROWS.values():
        for module, expected in modules.items():
            rules = rerun({"file": f"src/crossz/{module}.py"})
            if not expected <= rules <= expected | (FIGURES if module.startswith(WITH_FIGURES) else set()):
                wrong.append(f"{module}: also {sorted(rules - expected)}, not {sorted(expected - rules)}")
    assert not wrong, "\n".join(wrong)


def test_a_comment_or_a_docstring_in_every_module_reruns_nothing(finished, tmp_path):
    rerun = finished(EMBEDDED)
    for path in (tmp_path / "src/crossz").rglob("*.py"):
        path.write_text(path.read_text() + '\n\n# More.\n\n"""Of no attribute."""\n')
    assert rerun({}) == set()


def test_external_surveys_rerun_what_reads_them_and_no_image(finished):
    rerun = finished(ARCHIVE | CROSSMATCHED)
    radii = {"crossmatch_radius_arcsec": {"allwise": 1.0, "catwise": 2.0, "gaia": 1.0, "galex": 3.0}}
    assert rerun({"catalog": radii}) == MATCHED
    assert rerun({"catalog": {"crossmatch_radius_arcsec": {"allwise": 2.0, "gaia": 0.5}}}) == RECORD  # not asked for
    assert rerun({"archive": {"xmatch": "http://example.org/xmatch"}}) == set()
    for module in ("archive/http", "archive/services", "archive/responses"):
        assert rerun({"file": f"src/crossz/{module}.py"}) == set()
    for module in ("archive/xmatch", "catalog/crossmatch", "core/surveys"):
        assert rerun({"file": f"src/crossz/{module}.py"}) == MATCHED


def test_each_row_of_the_archive(finished):
    rerun = finished(ARCHIVE)
    for row, changes in ARCHIVE_ROWS.items():
        for change, expected in changes:
            assert rerun(change) == expected, f"{row}: {change}"


def test_the_tables_have_the_rows_that_are_tested():
    text = (ROOT / "README.md").read_text().split("## Change X")[1].split("\n## ")[0]
    for title, rows in (("Settings", [*ROWS, *ARCHIVE_ROWS]), ("Code", CODE_ROWS)):
        table = text.split(f"### {title}\n")[1].split("\n### ")[0]
        first_cells = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[1:]
        assert sorted(first_cells) == sorted(rows), title
