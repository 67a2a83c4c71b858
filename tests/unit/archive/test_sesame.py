"""Sesame: a name's position, a name that nobody knows, and answers that are none."""

import pytest
from fetching import answering
from helpers import archive

from crossz.archive import sesame
from crossz.archive.http import Client, limits
from crossz.archive.responses import Reply
from crossz.core.errors import CrosszError, Refused

KNOWN = b"""# 3C 273\t#Q6823021
#=S=Simbad (CDS, via client/server):    1     0ms
%@ 4023119
%C.0 QSO
%J 187.27791594 +02.05238852 = 12:29:06.69 +02:03:08.5
%J.E [0.02 0.03 90] A 2020yCat.1350....0G
#====Done (2026-Nov-28,00:00:00z)====
"""
UNKNOWN = b"# nobody\t#Q1\n#=S=Simbad: 0\n#!V=VizieR: *** Nothing found ***\n#====Done (2026-Nov-28,00:00:00z)====\n"


class Service:
    """Answers every request with one body."""

    def __init__(self, body):
        self.body, self.asked = body, []

    def fetch(self, urls, what, accept, remedy, most):
        self.most = most
        self.asked += urls
        return accept(Reply(urls[0], self.body, {}))


def test_a_name_has_a_position_and_stands_quoted_in_the_address():
    service = Service(KNOWN)
    assert sesame.position(service, "3C 273 & more") == (187.27791594, 2.05238852)
    assert service.asked == [f"{address}/-oI/SNV?3C%20273%20%26%20more" for address in sesame.ADDRESSES]


def test_a_name_that_nobody_knows_ends_in_words():
    with pytest.raises(CrosszError, match=r"--at no body: neither SIMBAD nor NED nor VizieR knows this name"):
        sesame.position(Service(UNKNOWN), "no\x1b body")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        UNKNOWN[:30],
        b"%J 400.0 +2.0 \n",
        b"%J 1_0 +2.0 \n",
        b"%J " + b"1" * 100_000,
        "%J ١٠ +2 \n".encode(),
        UNKNOWN + b"%J 400.0 +2.0 \n",
        b"%J 40.0 +95.0 = x\n" + UNKNOWN,
        b"%J nan nan = x\n" + UNKNOWN,
        b"\x1b[31m#====Done",
    ],
)
def test_what_is_no_answer_is_refused_and_asked_for_again(body):
    with pytest.raises(Refused, match="none of Sesame, or cut"):
        sesame.position(Service(body), "3C 273")


def test_an_answer_may_have_a_page_and_no_more():
    service = Service(KNOWN)
    sesame.position(service, "3C 273")
    assert service.most <= 4 << 20


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "403 Forbidden"])
def test_a_service_that_is_not_there_ends_in_words(status):
    with answering(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) as url:
        with Client(limits(archive(url))) as client, pytest.raises(CrosszError, match=rf"{status[:3]}.*--at RA DEC"):
            sesame.position(client, "3C 273", [url])
