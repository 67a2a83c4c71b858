"""What a service says of targets is believed only where it can be: its objects lie somewhere, and were asked for."""

import numpy as np
import pytest

from crossz.archive import crossid, reply
from crossz.archive.responses import Reply
from crossz.core.errors import Refused


class Service:
    """Answers with one object; `cells` differ from a good one's."""

    def __init__(self, name, **cells):
        row = name | dict.fromkeys(crossid.COLUMNS, "1") | {"ra": "10", "dec": "20"} | cells
        self.body = f"{','.join(row)}\n{','.join(row.values())}\n".encode()

    def identify(self, form, upload, what, accept):
        return accept(Reply("", self.body, {}))

    def ask(self, sql, columns, rows, what, make):
        return make(reply.table(self.body, columns, rows))


def _near(**cells):
    return crossid.finder(Service({"name": "0"}, **cells)).near(np.array([10.0]), np.array([20.0]), 2.0)


def _named(**cells):
    return crossid.finder(Service({}, **cells)).named(np.array([1]))


@pytest.mark.parametrize("ask", [_near, _named])
def test_an_object_that_can_be_is_taken(ask):
    assert len(ask()) == 1


@pytest.mark.parametrize("ask", [_near, _named])
@pytest.mark.parametrize(
    "cells",
    [
        {"ra": "inf"},
        {"ra": "370"},
        {"ra": "190", "dec": "160"},
        {"dec": "-inf"},
        {"objID": "0"},
        {"run": "-1"},
        {"run": "65536"},
        {"camcol": "0"},
        {"camcol": "9"},
        {"field": "2147483647"},
        {"rerun": "-3"},
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_object_at_no_place_of_the_sky_or_the_survey_is_refused(ask, cells):
    with pytest.raises(Refused):
        ask(**cells)


def test_another_object_than_asked_for_is_refused():
    with pytest.raises(Refused, match="not asked for"):
        _named(objID="7")
