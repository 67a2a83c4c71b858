"""The login: where it is looked for, and that it is not shown."""

import pytest

from crossz.archive import credentials
from crossz.core.errors import CrosszError


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"SCISERVER_{name}", raising=False)
    monkeypatch.setenv("CROSSZ_CREDENTIALS", str(tmp_path / "sciserver"))
    return tmp_path / "sciserver"


def test_the_environment_comes_first(monkeypatch, nobody):
    monkeypatch.setenv("SCISERVER_TOKEN", "t0ken")
    nobody.write_text("user = other\npassword = x\n")
    assert credentials.load().token == "t0ken"


def test_a_private_file_is_read_and_keeps_odd_passwords(nobody):
    nobody.write_text("# mine\nuser = me\npassword = a=b #c \n")
    nobody.chmod(0o600)
    found = credentials.load()
    assert (found.user, found.password, found.token) == ("me", "a=b #c", None)


def test_a_file_that_others_can_read_is_refused(nobody):
    nobody.write_text("user = me\npassword = secret\n")
    nobody.chmod(0o644)
    with pytest.raises(CrosszError, match=r"others can read it \(mode 0644\); chmod 600") as caught:
        credentials.load()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "user = me\n", "pass = hush\n", "password: hush\n", "hush\n", "hush \xff\n"])
def test_no_login_says_where_to_put_one(nobody, content):
    if content is not None:
        nobody.write_text(content, encoding="latin-1")
        nobody.chmod(0o600)
    with pytest.raises(CrosszError, match="set SCISERVER_USER and SCISERVER_PASSWORD") as caught:
        credentials.load()
    assert "hush" not in str(caught.value)


def test_secrets_are_not_in_its_text():
    assert "hush" not in repr(credentials.Credentials("me", "hush", "hush-token"))
