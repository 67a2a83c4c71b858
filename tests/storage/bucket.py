"""What a bucket has after a run, beside what a folder has after a run without storage."""

PREFIX = "runs/one/"
SMALLEST = {"datasets": ["baseline"], "mml": {"datasets": []}}
TARGETS = ["results/metrics.csv", "results/figures/baseline/gallery.png"]


def contents(bucket):
    """Bytes of each object of a run, by its place in the run."""
    return {
        entry.key.removeprefix(PREFIX): entry.get()["Body"].read() for entry in bucket.objects.filter(Prefix=PREFIX)
    }


def files(where):
    """Bytes of each file of a run that its rules declare, by its place in the run."""
    paths = [*where.glob("results/[!.]*/**/*"), *where.glob("results/*"), *where.glob("logs/**/*")]
    return {path.relative_to(where).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def assert_same(found, wanted):
    """Each file is there, and no other. Those that tell no time are equal."""
    assert found.keys() == wanted.keys()
    for name, content in wanted.items():
        if not name.endswith((".log", ".frames.jsonl")):
            assert found[name] == content, name
