"""The workflow graph, checked without data: seconds, no network, no GPU."""

import copy
import os

import pytest
import yaml
from helpers import ROOT
from snakemake import api
from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged

COMMON = {
    "catalog",
    "plan",
    "images",
    "gate",
    "splits",
    "train",
    "evaluate",
    "references",
    "trees",
    "stack",
    "metrics",
    "metrics_binned",
    "comparison",
    "figure_redshifts",
    "figure_estimates",
    "figure_models",
    "figure_error_vs_z",
    "figure_calibration",
    "figure_learning",
    "figure_gallery",
    "pages",
}
MML = {"spectra", "mml"}


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    return tmp_path


def jobs(workdir, *configfiles, ask=(), **overrides):
    """Names of the rules of all jobs that the targets `ask` (default: the whole) need, after touching every output."""
    return [job.rule.name for job in graph(workdir, *configfiles, ask=ask, **overrides).dag.jobs]


def graph(workdir, *configfiles, ask=(), **overrides):
    """The engine's workflow with that graph."""
    with api.SnakemakeApi(api.OutputSettings()) as smk:
        workflow = smk.workflow(
            snakefile=ROOT / "Snakefile",
            workdir=workdir,
            resource_settings=api.ResourceSettings(cores=1),
            storage_settings=api.StorageSettings(),
            config_settings=api.ConfigSettings(
                configfiles=(ROOT / "config/config.yaml", *configfiles), config=copy.deepcopy(overrides)
            ),
        )
        workflow.dag(api.DAGSettings(targets=set(ask))).execute_workflow(executor="touch")
        return workflow._workflow  # no public accessor yet


def test_jobs_run_this_folder_s_code_whichever_crossz_is_installed(workdir, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    assert jobs(workdir)
    assert os.environ["PYTHONPATH"] == f"{ROOT / 'src'}{os.pathsep}/somewhere/else"


def test_a_run_of_another_survey_says_so(workdir, caplog):
    receipt = workdir / "results/catalog/raw/baseline.receipt.json"
    receipt.parent.mkdir(parents=True)
    receipt.write_text('{"source": "SELECT of CasJobs"}')
    jobs(workdir)
    assert any("a catalog of another survey" in record.getMessage() for record in caplog.records)


def test_the_memory_of_the_trainings_is_told_before_there_is_data(workdir):
    configs = [ROOT / f"config/{name}.yaml" for name in ("dr17", "paper")]
    assert jobs(workdir, *configs, ask=["training_memory"]) == ["training_memory"]


def test_a_bundle_is_made_of_all_splits_of_its_network(workdir):
    names = jobs(workdir, ask=["results/bundle/baseline-crossmodal.zip"])
    assert [names.count(name) for name in ("bundle", "bundle_zip", "metrics", "train")] == [1, 1, 1, 15]
    assert [names.count(name) for name in ("trees", "stack", "ensemble")] == [3, 3, 2]


def test_the_embedded_survey_runs_every_stage_and_cuts_the_union_once(workdir):
    names = jobs(workdir)
    assert set(names) == COMMON | MML | {"all", "embedded_sky", "embedded_spectra", "query", "stamps", "cutouts"}
    assert {name: names.count(name) for name in ("query", "stamps", "cutouts", "train", "references", "mml")} == {
        "query": 3, "stamps": 4, "cutouts": 4, "train": 15, "references": 15, "mml": 5,
    }  # fmt: skip


def test_scores_need_no_figure(workdir):
    names = jobs(workdir, ask=["results/metrics.csv", "results/metrics_binned.csv", "results/comparison.md"])
    assert {"metrics", "metrics_binned", "comparison"} <= set(names)
    assert not [name for name in names if name.startswith("figure")]


def test_without_the_spectral_baseline_no_spectrum_is_made(workdir):
    names = jobs(workdir, mml={"datasets": []})
    assert set(names) == COMMON | {"all", "embedded_sky", "query", "stamps", "cutouts"}


def test_ablations_train_beside_the_main_network_and_cut_only_their_own_alignments(workdir):
    names = jobs(workdir, networks=["crossmodal", "phot", "img", "no_adversary", "integer"], datasets=["baseline"])
    assert {name: names.count(name) for name in ("train", "evaluate", "evaluate_alone", "cutouts", "cutouts_aligned")} == {
        "train": 25, "evaluate": 15, "evaluate_alone": 10, "cutouts": 4, "cutouts_aligned": 4,
    }  # fmt: skip


def test_a_catalog_alone_trains_photometry_alone(workdir):
    (workdir / "data").mkdir()
    (workdir / "data/quasars.csv").touch()
    names = jobs(workdir, ROOT / "config/photometry.yaml")
    assert set(names) == COMMON - {"evaluate", "figure_gallery"} | {
        "all",
        "user_catalog",
        "no_images",
        "evaluate_alone",
    }


def test_classes_run_the_same_rules_without_the_figures_of_redshifts(workdir):
    names = jobs(workdir, ROOT / "config/classes.yaml")
    of_redshifts = {"metrics_binned", "comparison", "trees", "stack"}
    of_redshifts |= {f"figure_{name}" for name in ("redshifts", "models", "error_vs_z", "calibration", "gallery")}
    assert set(names) == COMMON - of_redshifts | {"all", "embedded_sky", "query", "stamps", "cutouts"}


def test_cutouts_somebody_made_enter_at_the_catalog(workdir):
    (workdir / "data/cutouts/mat").mkdir(parents=True)
    (workdir / "data/cutouts/catalog.csv").touch()
    names = jobs(workdir, ROOT / "config/cutouts.yaml")
    assert set(names) == COMMON | {"all", "user_catalog", "mat_cutouts"}


def test_the_real_survey_asks_the_archive(workdir):
    names = jobs(workdir, ROOT / "config/dr17.yaml")
    assert set(names) == COMMON | {"all", "archive_query", "stamps", "cutouts"}
    assert len(names) < 2000


def test_external_surveys_are_asked_beside_the_images(workdir):
    crossmatch = {"photometry": {"crossmatch": ["allwise", "gaia"]}}
    names = jobs(workdir, ROOT / "config/dr17.yaml", plan={"shards": 4}, **crossmatch)
    assert set(names) == COMMON | {"all", "archive_query", "stamps", "cutouts", "crossmatch"}
    assert names.count("crossmatch") == 2
    (workdir / "mine.csv").write_text("ra,dec\n10,1\n")
    options = {"ask": ["results/predict/mine.parquet"], "targets": "mine.csv", "plan": {"shards": 4}}
    names = jobs(workdir, ROOT / "config/dr17.yaml", **options, **crossmatch)
    assert names.count("target_crossmatch") == 1
    (workdir / "model").mkdir()
    (workdir / "model/bundle.json").write_text('{"images": {"align": "integer"}, "columns": ["galex_nuv"]}')
    names = jobs(
        workdir, ROOT / "config/dr17.yaml", **options | {"ask": ["results/predict/own.parquet"]}, bundle="model"
    )
    assert "target_crossmatch" in names  # the bundle's networks say what they see
    (workdir / "data").mkdir()
    (workdir / "data/quasars.csv").touch()
    names = jobs(workdir, ROOT / "config/photometry.yaml", **crossmatch)
    assert names.count("crossmatch") == 1


def test_the_real_survey_takes_finished_queries_and_frames_on_disk(workdir):
    (workdir / "data/sas").mkdir(parents=True)
    (workdir / "data/baseline.fits").touch()
    overrides = {"catalog": {"files": {"baseline": "data/baseline.fits"}}, "stamps": {"frames_root": "data/sas"}}
    names = jobs(workdir, ROOT / "config/dr17.yaml", plan={"shards": 4}, **overrides)
    assert set(names) == COMMON | {"all", "user_catalog", "archive_query", "stamps", "cutouts"}
    assert (names.count("user_catalog"), names.count("archive_query")) == (1, 1)


def test_the_paper_s_network_goes_with_every_survey(workdir):
    (workdir / "data/cutouts/mat").mkdir(parents=True)
    (workdir / "data/cutouts/catalog.csv").touch()
    names = jobs(workdir, ROOT / "config/paper.yaml")
    assert set(names) == COMMON - {"trees", "stack"} | MML | {
        "all",
        "embedded_sky",
        "embedded_spectra",
        "query",
        "stamps",
        "cutouts",
    }
    names = jobs(workdir, ROOT / "config/cutouts.yaml", ROOT / "config/paper.yaml", mml={"datasets": []})
    assert set(names) == COMMON - {"trees", "stack"} | {"all", "user_catalog", "mat_cutouts"}
    paper, full = (yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("paper", "dr17"))
    assert paper["crossmodal"]["backbone"] == full["crossmodal"]["backbone"] == "resnet101"
    assert paper["train"]["optimizer"] == "sgd"


def test_a_bad_configuration_stops_before_anything_with_all_its_problems(workdir):
    with pytest.raises(WorkflowError) as caught:
        jobs(workdir, cutouts={"allign": "fourier"}, splits={"fractions": ["x", 0.2, 0.2]})
    assert "cutouts.allign: unknown key; did you mean align?" in str(caught.value)
    assert "splits.fractions.0" in str(caught.value)
    assert not (workdir / "results").exists()


MATCHED = {"target_plan", "target_stamps", "target_cutouts", "target_images", "predict"}
TRAINED = {"plan", "images", "gate", "splits", "train", "domain", "catalog", "stamps", "cutouts"}


def test_new_objects_are_matched_and_cut_unless_they_have_magnitudes(workdir):
    (workdir / "mine.csv").write_text("ra,dec\n10,1\n")
    (workdir / "theirs.csv").write_text("dered_u,dered_g\n19,19\n")
    names = jobs(workdir, ask=["results/predict/mine.parquet"], targets="mine.csv")
    together = {"evaluate", "ensemble", "trees", "stack"}  # the temperature of all splits
    assert set(names) == TRAINED | MATCHED | together | {"embedded_sky", "query", "match"}
    assert names.count("target_stamps") == 4
    names = jobs(workdir, ask=["results/predict/theirs.html"], targets="theirs.csv")
    assert set(names) == TRAINED | together | {"embedded_sky", "query", "predict", "predict_page"}
    (workdir / "model").mkdir()
    (workdir / "model/bundle.json").write_text('{"images": {"align": "integer"}}')
    names = jobs(workdir, ask=["results/predict/own.parquet"], targets="theirs.csv", bundle="model")
    assert names == ["predict"]
    names = jobs(workdir, ask=["results/predict/own.parquet"], targets="theirs.csv", class_bundle="model")
    assert set(names) == TRAINED | together | {"embedded_sky", "query", "predict"}
    names = jobs(workdir, ask=["results/predict/own2.parquet"], targets="mine.csv", bundle="model")
    assert set(names) == MATCHED | {"embedded_sky", "match"}  # nothing is trained
    names = jobs(
        workdir, ROOT / "config/dr17.yaml", ask=["results/predict/mine.parquet"], targets="mine.csv", plan={"shards": 4}
    )
    assert {"archive_match", "target_stamps"} < set(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ra,dec\n1,2\n", "has no archive to find objects in: give magnitudes"),
        ("name\na\n", "mine.csv: no ra and dec"),
        (None, "targets: mine.csv: no such file"),
    ],
)
def test_targets_that_cannot_do_are_named_before_anything_runs(workdir, text, words):
    (workdir / "data/cutouts/mat").mkdir(parents=True)
    (workdir / "data/cutouts/catalog.csv").touch()
    if text is not None:
        (workdir / "mine.csv").write_text(text)
    with pytest.raises((WorkflowError, SystemExit), match=words):
        jobs(workdir, ROOT / "config/cutouts.yaml", ask=["results/predict/mine.parquet"], targets="mine.csv")


@pytest.mark.parametrize("file", ["mine.parquet", "mine.html", "mine/targets.parquet"])
def test_new_objects_without_a_table_of_them_end_with_one_line(workdir, file):
    with pytest.raises(SystemExit, match="which objects") as ended:
        jobs(workdir, ask=[f"results/predict/{file}"])
    assert str(ended.value).startswith("crossz: ")
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize(
    ("configfile", "ask"),
    [
        ("config", ["results/metrics.csv", "results/bundle/baseline-crossmodal"]),
        ("config", ["results/predict/mine.html"]),
        ("dr17", ["results/metrics.csv", "results/predict/mine.html"]),
        ("photometry", ["results/metrics.csv"]),
        ("cutouts", ["results/metrics.csv"]),
    ],
)
def test_without_a_shared_disk_every_input_is_another_job_s_output_or_lies_where_snakemake_runs(
    configfile, ask, workdir
):
    (workdir / "mine.csv").write_text("ra,dec\n10,20\n")
    (workdir / "data/cutouts/mat").mkdir(parents=True)
    for name in ("quasars", "cutouts/catalog"):
        (workdir / f"data/{name}.csv").touch()
    few = {"plan": {"shards": 2}, "splits": {"count": 1}}
    dag = graph(workdir, ROOT / f"config/{configfile}.yaml", ask=ask, targets="mine.csv", **few).dag
    made = {str(output) for job in dag.jobs for output in job.output}
    inputs = {(job.rule.name, str(path), is_flagged(path, "local")) for job in dag.jobs for path in job.input}
    assert {path for _, path, local in inputs if not local} <= made
    assert {path for _, path, local in inputs if local}.isdisjoint(made)
    heavy = {"train", "evaluate", "stamps", "cutouts", "references", "mml", "metrics"}
    assert not heavy & {rule for rule, _, local in inputs if local}


def test_profiles_of_clusters_give_a_gpu_to_each_rule_that_uses_one(workdir):
    using = {rule.name for rule in graph(workdir).rules if "gpu" in rule.resources}
    assert {"train", "evaluate", "mml"} <= using
    for name in ("slurm", "kubernetes"):
        told = yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text())["set-resources"]
        assert {rule for rule, resources in told.items() if resources.get("gpu")} == using
        # Kubernetes takes a GPU only as a limit, which its plugin sets where `scale` is 0, and wants to know whose it is.
        for rule in using if name == "kubernetes" else ():
            assert (told[rule]["gpu_manufacturer"], told[rule]["scale"]) == ("nvidia", 0)


def test_references_book_memory_and_threads_by_the_size_of_the_catalog(workdir):
    booked = {}
    for megabytes in (0.4, 180):  # of 1,000 objects, and of DR17
        for path in ("catalog/baseline.parquet", "splits/baseline/0.parquet", "images.parquet"):
            (workdir / "results" / path).parent.mkdir(parents=True, exist_ok=True)
            with open(workdir / "results" / path, "wb") as handle:
                handle.truncate(int(megabytes * 1e6) if "catalog" in path else 1000)
        with api.SnakemakeApi(api.OutputSettings()) as smk:
            workflow = smk.workflow(
                snakefile=ROOT / "Snakefile",
                workdir=workdir,
                resource_settings=api.ResourceSettings(cores=8),
                config_settings=api.ConfigSettings(configfiles=(ROOT / "config/config.yaml",)),
            )
            target = "results/predictions/baseline/knn/0/phot.parquet"
            settings = api.DAGSettings(targets={target}, allowed_rules={"references"})
            workflow.dag(settings).execute_workflow(executor="dryrun")
            (job,) = workflow._workflow.dag.jobs
            booked[megabytes] = job.resources.mem_mb, job.threads
    assert booked[0.4] == (1003, 1)
    assert booked[180][0] > 2000
    assert booked[180][1] == 4
