"""The attacks themselves are run by `make attack`; here, that nothing which they look for can pass unseen."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from helpers import ROOT

from attacks import __main__ as program
from attacks.harness import ACCEPTED, CANARY, EITHER, REFUSED, Case, Outcome
from attacks.server import Kept, answer, asking
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


def fetched(of="evil", **headers):
    """A client that asks one of two servers, and believes it."""

    def ask(urls, folder):
        return urllib.request.urlopen(urllib.request.Request(getattr(urls, of), headers=headers), timeout=5).read()

    return ask


def served(client, evil=b"", **more):
    more = {"wants": EITHER, "right": lambda found: found == b"good", "good": answer(b"good")} | more
    return asking("", evil or answer(b"evil"), client, **more)


def spinning(urls, folder):
    threading.Thread(target=burning, daemon=True).start()


def unmakeable():
    raise ValueError("no such bytes")


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
    "a password": (Case("", lambda: print(CANARY), wants=EITHER), "a secret is shown"),
    "a connection": (Case("", lambda: socket.create_connection(("127.0.0.1", 9)), wants=EITHER), "forbidden call"),
    "wrong bytes": (served(fetched()), "wrong thing accepted"),
    "right bytes": (served(fetched("good"), wants=ACCEPTED), ""),
    "a login at another server": (served(fetched("good", Token=CANARY)), "wrong thing accepted"),
    "a cookie": (served(fetched("good", Cookie="a=b")), "wrong thing accepted"),
    "a secret in a file": (served(lambda urls, folder: (folder / "a").write_text(CANARY)), "wrong thing accepted"),
    "a thread that goes on": (served(spinning), "wrong thing accepted"),
    "a server that cannot begin": (served(fetched(), Kept(unmakeable)), "traceback"),
    "what it should be": (Case("", ["predict", "none", "a", "b.csv"]), ""),
    "files": (Case("", lambda: raising(CrosszError(Path("a/b").read_text())), {"a/b": "words"}), ""),
}


OUTCOMES = """
import json
from attacks import harness
from attacks.test_attacks import PLANTED
harness.CPU_S, harness.IDLE_S, harness.MOST_MB = 4, 1, 1000
groups = {name: [case] for name, (case, _) in PLANTED.items()}
print(json.dumps({outcome.group: outcome.fault for outcome in harness.outcomes(groups, 2)}))
"""


@pytest.fixture(scope="module")
def found():
    """The fault of each, from a process of its own: one with threads, as that of other tests, cannot fork safely."""
    command = [sys.executable, "-c", OUTCOMES]
    paths = os.pathsep.join([str(ROOT / "tests"), *sys.path])
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, timeout=300, env=os.environ | {"PYTHONPATH": paths}
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_seen(found, name):
    assert found[name] == PLANTED[name][1]


def test_the_cases_of_a_group_are_made_when_the_group_before_has_run(monkeypatch, capsys):
    steps = []

    def group(name):
        def cases():
            steps.append(f"{name} made")
            yield Case("one", ["info"])

        return cases

    def run(groups, jobs):
        for name, cases in groups.items():
            steps.append(f"{name} run")
            yield from (Outcome(name, case.name, "", "", 1, 1) for case in cases)

    monkeypatch.setattr(program, "GROUPS", {name: group(name) for name in "ab"})
    monkeypatch.setattr(program, "outcomes", run)
    monkeypatch.setattr(sys, "argv", ["attacks"])
    with pytest.raises(SystemExit, match=r"^False$"):
        program.main()
    assert steps == ["a made", "a run", "b made", "b run"]
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["all", "2", "0"]
