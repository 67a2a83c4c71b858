"""The digests of the archive's rules: what can change a row is in them, how it is fetched is not."""

import pytest

from crossz.core.provenance import PACKAGE, closure

TRANSPORT = {
    f"archive/{name}.py"
    for name in (
        "http",
        "by_hand",
        "connections",
        "mirrors",
        "responses",
        "casjobs",
        "skyserver",
        "services",
        "sas",
        "journal",
        "frame_bytes",
        "place",
        "credentials",
        "spectra",
    )
}


def modules(name):
    return {path.relative_to(PACKAGE).as_posix() for path in closure(name)}


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("archive.query", {"archive/query.py", "archive/sql.py", "archive/reply.py", "catalog/raw.py"}),
        ("archive.crossid", {"archive/crossid.py", "archive/reply.py", "catalog/targets.py"}),
        ("archive.xmatch", {"archive/xmatch.py", "catalog/crossmatch.py", "core/surveys.py"}),
        ("archive.embedded", {"archive/embedded.py", "archive/sql.py", "catalog/raw.py"}),
        ("archive.embedded_crossid", {"archive/embedded_crossid.py", "archive/embedded.py", "catalog/targets.py"}),
    ],
)
def test_a_digest_covers_what_can_change_a_row(name, covered):
    assert modules(name) >= covered
    assert not modules(name) & TRANSPORT


def test_code_for_new_objects_reruns_no_query():
    assert "catalog/targets.py" not in modules("archive.embedded") | modules("archive.query")
