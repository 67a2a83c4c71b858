"""Which rows of a frame its shard needs, and whether it is the frame of that place at all."""

import numpy as np
import pytest
from toy_images import COLUMNS, ROWS, STEP, image_of, sky, wcs_of

from crossz.core.errors import Refused
from crossz.images.frame_rows import check_position, rows_of
from crossz.images.stamps import CENTRE, SIZE
from crossz.sdss.frames import Frame

NOWHERE = np.empty((0, 2))


def frame(field=0):
    return Frame(image_of(0, field), wcs_of(field))


def at(*xy):
    return np.array([sky(x, y) for x, y in xy])


def stamp_rows(y):
    first = int(np.floor(y + 0.5)) - CENTRE
    return first, first + SIZE


@pytest.mark.parametrize("y", [-30.0, 0.0, 39.4, 39.6, 150.0, 299.0, 330.0])
def test_an_object_needs_the_rows_of_its_stamp(y):
    assert rows_of(frame(), at((120, y)), NOWHERE, NOWHERE) == [stamp_rows(y)]


@pytest.mark.parametrize("y", [-41.0, 341.0, 5000.0])
def test_a_stamp_beside_the_frame_needs_no_rows(y):
    assert rows_of(frame(), at((120, y)), NOWHERE, NOWHERE) == []


@pytest.mark.parametrize("y", [-10.0, 0.0, 20.0, 39.0])
def test_a_stamp_that_an_edge_cuts_needs_rows_of_the_adjacent_field(y):
    before, after = frame(-1), frame(1)
    assert rows_of(before, NOWHERE, NOWHERE, at((120, y))) == [stamp_rows(y + STEP)]
    far = ROWS - 1 - y
    assert rows_of(after, NOWHERE, at((120, far)), NOWHERE) == [stamp_rows(far - STEP)]


def test_a_stamp_that_no_edge_cuts_needs_none_of_the_adjacent_field():
    middle = at((120, 150))
    assert rows_of(frame(-1), NOWHERE, NOWHERE, middle) == rows_of(frame(1), NOWHERE, middle, NOWHERE) == []


@pytest.mark.parametrize(
    "xy",
    [
        [(0, 0)],
        [(COLUMNS - 1, ROWS - 1)],
        [(-100, 150)],
        [(120, ROWS + 100)],
        [(50_000, 50_000), (120, 150)],  # one wrong row of a catalog
    ],
)
def test_a_frame_is_where_an_object_of_its_field_is(xy):
    check_position(frame(), at(*xy), NOWHERE, NOWHERE)


@pytest.mark.parametrize("xy", [[(-140, 150)], [(120, ROWS + 140)], [(120, -2000), (5000, 150)]])
def test_a_frame_of_another_place_is_refused(xy):
    with pytest.raises(Refused, match=rf"not one of {len(xy)} object\(s\)"):
        check_position(frame(), at(*xy), at((120, 150)), NOWHERE)


def test_a_frame_of_the_other_half_of_the_sky_is_refused():
    with pytest.raises(Refused):
        check_position(frame(), at((120, 150)) + np.array([180, 0]), NOWHERE, NOWHERE)


def test_objects_of_adjacent_fields_tell_where_a_frame_without_its_own_is():
    near, far = at((120, ROWS + STEP - 10)), at((120, 2 * ROWS + 200))
    check_position(frame(), NOWHERE, NOWHERE, near)
    check_position(frame(), NOWHERE, NOWHERE, NOWHERE)  # nothing to compare with
    with pytest.raises(Refused):
        check_position(frame(), NOWHERE, NOWHERE, far)
    with pytest.raises(Refused):
        check_position(frame(), NOWHERE, at((COLUMNS + 200, 150)), NOWHERE)
