"""Words of the command are completed by real shells."""

import contextlib
import os
import pty
import shutil
import subprocess

import pytest

from crossz.apply import cli


@pytest.fixture
def complete(capsys, tmp_path):
    """What bash offers after a line."""
    cli.main(["completion", "bash"])
    script = capsys.readouterr().out
    (tmp_path / "mine.csv").touch()

    def asked(line):
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        call = (
            f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; "
            f"_crossz crossz '{words[-1]}' '{words[-2]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(
            ["bash", "--norc", "-euc", f"{script}\n{call}"], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        return done.stdout.split()

    return asked


def test_bash_completes_commands_options_choices_and_networks(complete):
    assert set(complete("crossz ")) >= {"predict", "nz", "info", "models", "completion", "--version"}
    assert complete("crossz pre") == ["predict"]
    assert complete("crossz predict x --no") == ["--no-page"]
    assert complete("crossz predict x --pdf ") == ["mixture", "grid", "qp", "none"]
    assert complete("crossz predict sdss-d") == ["sdss-dr5q"]
    assert complete("crossz info sdss-") == ["sdss-dr5q", "sdss-quasars"]
    assert complete("crossz nz a.csv b.csv --training sdss-q") == ["sdss-quasars"]
    assert complete("crossz completion ") == ["bash", "zsh"]
    assert complete("crossz predict sdss-dr5q mi") == []  # then bash offers files
    assert "--quiet" not in complete("crossz completion --")


def test_a_shell_in_which_a_key_is_pressed_completes(capsys, tmp_path):
    """An interactive bash at a terminal: it reads the line itself, and offers files where crossz offers nothing."""
    cli.main(["completion", "bash"])
    (tmp_path / "rc").write_text(capsys.readouterr().out + 'crossz() { echo GOT "$@"; exit; }\n')
    (tmp_path / "mine.csv").touch()
    ours, theirs = pty.openpty()
    command = ["bash", "--noprofile", "--rcfile", "rc", "-i"]
    shell = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env=os.environ | {"TERM": "dumb"},
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, b"crossz predict sdss-d\tmi\tout.csv --no-p\t\n")
    said = b""
    with contextlib.suppress(OSError):  # the terminal ends with the shell
        while part := os.read(ours, 1 << 12):
            said += part
    os.close(ours)
    assert shell.wait(60) == 0
    assert b"GOT predict sdss-dr5q mine.csv out.csv --no-page" in said


ZSH = pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh is installed")


@ZSH
def test_a_zsh_in_which_a_key_is_pressed_completes(capsys, tmp_path):
    """An interactive zsh at a terminal of its own (zpty)."""
    cli.main(["completion", "zsh"])
    (tmp_path / "rc").write_text(capsys.readouterr().out + 'crossz() { echo GOT "$@" > said; exit }\n')
    (tmp_path / "mine.csv").touch()
    steps = (
        "zmodload zsh/zpty; zpty shell 'PS1=READY zsh -f -i'; zpty -w shell 'source ./rc; echo SOURCED'\n"
        "zpty -r -m shell line '*SOURCED*SOURCED*READY*'\n"
        "zpty -w shell $'crossz pre\\tsdss-d\\tmi\\tout.csv --no-p\\t'\n"
        "zpty -r -m shell line '*no-page*'; while zpty -r shell line; do :; done"
    )
    subprocess.run(["zsh", "-fc", steps], cwd=tmp_path, env=os.environ | {"TERM": "dumb"}, timeout=120, check=False)
    assert (tmp_path / "said").read_text() == "GOT predict sdss-dr5q mine.csv out.csv --no-page\n"


@ZSH
def test_zsh_reads_its_script(capsys, tmp_path):
    cli.main(["completion", "zsh"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    done = subprocess.run(
        ["zsh", "-fc", "source ./script; print $_comps[crossz]"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "_crossz" in done.stdout
