"""What --columns may say."""

import pytest

from crossz.apply.column_pairs import column_pairs
from crossz.core.errors import CrosszError

KNOWN = {"ra", "dec", "dered_u", "dered_g"}


def test_pairs_come_from_words_and_files(tmp_path):
    (tmp_path / "pairs").write_text("# mine\n dec = DEJ2000 \n\nra=RAJ2000\n")
    found = column_pairs(["dered_*=*mag", f"@{tmp_path}/pairs", "ra=RAJ2000"], KNOWN)
    assert found == {"dered_*": "*mag", "dec": "DEJ2000", "ra": "RAJ2000"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["ra=a", "ra=b"], "ra is a already; say it once"),
        (["ra"], "say OURS=THEIRS"),
        (["raa=a"], "no column raa; did you mean ra?"),
        (["@nowhere"], "no file nowhere"),
        (["dered_u=umag", "dered_g=UMAG"], "UMAG would be dered_u and dered_g; a column has one meaning"),
        (["dered_*=*mag", "dered_u=gmag"], "gmag would be dered_u and dered_g"),
        (["umag=dered_u"], "ours comes first: dered_u=umag"),
    ],
)
def test_what_is_no_pair_or_contradicts_another_is_refused(texts, message):
    with pytest.raises(CrosszError, match=message.replace("?", r"\?")):
        column_pairs(texts, KNOWN)
