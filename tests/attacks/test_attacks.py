"""The attacks themselves are run by `make attack`; here, that nothing which they look for can pass unseen."""

import time
from pathlib import Path

import pytest

from attacks import harness
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, outcomes
from crossz.core.errors import CrosszError


def raising(error):
    raise error


def burning():
    while True:
        pass


def opening():
    Path("/etc/passwd").read_text()


def failing():
    assert Path("out").exists(), "no answer"


def leaving():
    Path("half").touch()
    raise CrosszError("refused")


PLANTED = {
    "a traceback": (Case("", lambda: raising(KeyError("x")), wants=EITHER), "traceback"),
    "a bomb": (Case("", lambda: bytearray(b"x") * (2 << 30), wants=EITHER), "memory"),
    "a busy hang": (Case("", burning, wants=EITHER), "hang"),
    "an idle hang": (Case("", lambda: time.sleep(60), wants=EITHER), "hang"),
    "an escape": (Case("", lambda: print("\x1b[31m"), wants=EITHER), "orders to a terminal: ['\\x1b']"),
    "a secret": (Case("", opening, wants=EITHER), "forbidden call"),
    "a wrong answer": (Case("", lambda: None, wants=EITHER, check=failing), "wrong thing accepted"),
    "half an answer": (Case("", leaving), "wrong thing accepted"),
    "silence": (Case("", lambda: raising(SystemExit(1)), wants=EITHER), "refused without a word"),
    "accepted": (Case("", lambda: None, wants=REFUSED), "accepted, not refused"),
    "refused": (Case("", lambda: raising(CrosszError("x")), wants=ACCEPTED), "refused, not accepted"),
    "what it should be": (Case("", ["predict", "none", "a", "b.csv"]), ""),
    "files": (Case("", lambda: raising(CrosszError(Path("a/b").read_text())), {"a/b": "words"}), ""),
}


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "CPU_S", 1)
        patch.setattr(harness, "IDLE_S", 1)
        patch.setattr(harness, "MOST_MB", 1000)
        groups = {name: [case] for name, (case, _) in PLANTED.items()}
        return {outcome.group: outcome for outcome in outcomes(groups, 2)}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_seen(found, name):
    assert found[name].fault == PLANTED[name][1], found[name]
