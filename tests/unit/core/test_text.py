"""Words of others on a terminal."""

import pytest

from crossz.core.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a plain error: ü, 5″", "a plain error: ü, 5″"),
        ("two\r\n lines\tand blanks ", "two lines and blanks"),
        ("\x1b[2J\x1b]0;title\x07red", "[2J]0;titlered"),
        ("c1 \x9b31m, bidi \u202egnp.exe, zero \u200bwidth, \x00nul\x7f", "c1 31m, bidi gnp.exe, zero width, nul"),
        ("lone \ud800 half", "lone  half"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(text, shown):
    assert printable(text) == shown


def test_it_is_cut():
    assert printable("ab" * 1000, 5) == "ababa"
    assert len(printable("\x1b" * 10**7 + "a", 5)) <= 5
