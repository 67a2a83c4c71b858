"""profiles/kubernetes on a cluster of one node that this machine plays: manifests, secrets, whole runs, lost pods."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import SMALL, command, copied, environment, snakemake
from storage.bucket import SMALLEST, TARGETS, assert_same, contents, files
from storage.cluster import Cluster

PROFILE = "profiles/kubernetes/profile.yaml"
IMAGE = "registry.example.org/crossz"
SECRETS = ("AKIAKEY", "hush-hush")
kubernetes_validate = pytest.importorskip("kubernetes_validate")
pytest.importorskip("snakemake_executor_plugin_kubernetes")


@pytest.fixture
def cluster(tmp_path):
    """A cluster whose image has Snakemake and its plugins, and no pip that asks a registry."""
    (tmp_path / "bin").mkdir()
    pip = tmp_path / "bin/pip"
    pip.write_text('#!/bin/sh\n[ "$*" = "install --target .snakemake/pip-deployments snakemake-storage-plugin-s3" ]\n')
    pip.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.defpath])
    blas = {
        name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")
    }  # it tells the last digits
    with Cluster(tmp_path, {"PATH": path, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"} | blas) as running:
        yield running


@pytest.fixture
def project(tmp_path, cluster, storage):
    """A clone of the project with this bucket in its profile, and the environment of its Snakemake."""
    where = tmp_path / "project"
    where.mkdir()
    copied(where)
    profile = where / PROFILE
    told = profile.read_text()
    assert "default-storage-prefix: s3://crossz" in told
    profile.write_text(told.replace("s3://crossz", storage.prefix) + f"\ncontainer-image: {IMAGE}\n")
    subprocess.run(["git", "init", "-q"], cwd=where, check=True)
    subprocess.run(["git", "add", "."], cwd=where, check=True)  # what Git knows goes into the pods
    storage.login["KUBECONFIG"] = str(cluster.kubeconfig)
    return where


OPTIONS = [
    "--workflow-profile=profiles/kubernetes",
    "--seconds-between-status-checks=1",
    "--max-status-checks-per-second=50",
]


def valid(manifest):
    """The manifest, after a check against the schema of Kubernetes, where nothing unknown is allowed."""
    named = {"apiVersion": "batch/v1", "kind": "Job"} | manifest  # the path of the request says so
    kubernetes_validate.validate(named, "1.32", strict=True)
    return manifest["spec"]["template"]["spec"]


def test_the_run_gives_the_same_bytes_from_valid_manifests_without_a_key_in_them(local, project, cluster, storage):
    snakemake(project, *TARGETS, *OPTIONS, login=storage.login, **SMALLEST)
    assert_same(contents(storage.bucket), files(local))
    assert not files(project)
    ran = {cluster.rule(job) for job in cluster.manifests}
    assert {"catalog", "stamps", "cutouts", "train", "evaluate", "metrics"} <= ran
    assert not {"embedded_sky", "query", "plan", "gate", "splits"} & ran
    for job, manifest in cluster.manifests.items():
        pod, rule = valid(manifest), cluster.rule(job)
        (container,) = pod["containers"]
        assert container["image"] == IMAGE
        assert container["command"] == ["/bin/sh"]
        assert not [key for key in SECRETS if key in str(manifest)]
        assert {entry["name"] for entry in container["env"]} == {
            f"SNAKEMAKE_STORAGE_S3_{name}" for name in ("ENDPOINT_URL", "REGION", "ACCESS_KEY", "SECRET_KEY")
        }
        asked = container["resources"]
        assert int(asked["requests"]["memory"].removesuffix("M")) >= 1000
        if rule in ("train", "evaluate"):
            assert asked["requests"]["nvidia.com/gpu"] == asked["limits"]["nvidia.com/gpu"] == "1"
            assert [toleration["key"] for toleration in pod["tolerations"]] == ["nvidia.com/gpu"]
        else:
            assert "nvidia.com/gpu" not in str(asked)
    assert len(cluster.secrets_made) == 1
    assert not cluster.secrets, "a run deletes the keys that it gave"


def test_a_training_whose_node_is_lost_goes_on_from_a_checkpoint_that_a_volume_keeps(local, project, cluster, storage):
    for entry in files(local):
        if not entry.startswith(
            ("results/models", "results/predictions", "results/metrics", "results/figures", "logs")
        ):
            storage.bucket.upload_file(str(local / entry), f"runs/one/{entry}")
    profile = project / PROFILE
    line = "# kubernetes-persistent-volumes: [checkpoints:/workdir/results/checkpoints]"
    told = profile.read_text()
    assert line in told
    profile.write_text(told.replace(line, line.removeprefix("# ")))
    longer = SMALL["train"] | {"epochs": 1000, "patience": 1000}  # much longer than until the first checkpoint, 20 s
    head = subprocess.Popen(
        command(project, "results/models/baseline/crossmodal/0/model.pt", "--allowed-rules=train", *OPTIONS, **SMALLEST | {"train": longer}),
        cwd=project, env=environment(**storage.login), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    kept = cluster.folder / "volumes/checkpoints/baseline/crossmodal/0.pt"
    while not kept.exists():
        assert head.poll() is None, head.stdout.read()
        time.sleep(0.1)
    (first,) = cluster.manifests
    valid(cluster.manifests[first])
    cluster.kill(first, node_lost=True)
    told, _ = head.communicate()
    assert head.returncode == 0, told[-5000:]
    _, second = cluster.manifests
    assert "going on after epoch" in (cluster.folder / second / "pod.log").read_text()
    assert (
        int(
            cluster.manifests[second]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"][:-1]
        )
        == 8000
    )


RETRIED = """
rule retried:
    output:
        "results/{name}.txt",
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
    shell:
        "test {resources.mem_mb} -ge 3000 && echo {resources.mem_mb} > {output}"
"""


def test_a_job_whose_container_fails_is_tried_again_with_more_memory(project, cluster, storage):
    (project / "Snakefile").write_text(RETRIED)
    done = snakemake(project, "results/a.txt", *OPTIONS, login=storage.login, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert contents(storage.bucket)["results/a.txt"] == b"3000\n"
    assert len(cluster.manifests) == 2
