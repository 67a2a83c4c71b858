"""An S3 server of this machine, and the results of a run without one."""

import logging
from types import SimpleNamespace

import pytest
from project import copied, snakemake
from storage.bucket import PREFIX, SMALLEST, TARGETS


@pytest.fixture(scope="session")
def s3():
    """An S3 server: its address, and boto3's view of it."""
    boto3, server = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    pytest.importorskip("snakemake_storage_plugin_s3")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it tells every request
    running.start()
    url = "http://{}:{}".format(*running.get_host_and_port())
    keys = {"aws_access_key_id": "AKIAKEY", "aws_secret_access_key": "hush-hush", "region_name": "us-east-1"}
    yield SimpleNamespace(url=url, resource=boto3.resource("s3", endpoint_url=url, **keys))
    running.stop()


@pytest.fixture
def storage(s3, tmp_path_factory):
    """An empty bucket, and what a Snakemake that uses it is told: options and environment."""
    name = tmp_path_factory.mktemp("bucket").name.replace("_", "-")
    bucket = s3.resource.Bucket(name)
    bucket.create()
    bucket.put_object(Key="something-else")  # the plugin deletes a bucket in which it finds nothing else
    login = {
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": s3.url,
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "AKIAKEY",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "hush-hush",
    }
    return SimpleNamespace(bucket=bucket, prefix=f"s3://{name}/{PREFIX}", login=login)


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """The folder of a run without storage."""
    where = copied(tmp_path_factory.mktemp("local"))
    snakemake(where, *TARGETS, **SMALLEST)
    return where
