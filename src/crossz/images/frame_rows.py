"""What a shard needs of a frame before it has the pixels: its rows, and that its objects lie there at all."""

import numpy as np

from crossz.core.errors import Refused
from crossz.images.stamps import CENTRE, SIZE
from crossz.sdss.frames import Frame

_OVERLAP = 128  # rows that adjacent fields share
_SLACK = 8  # pixels by which adjacent fields differ from it
_NEAR = 128  # pixels off its frame at which an object may lie; in the worst of the bands, real ones lie 20 off


def rows_of(frame: Frame, own: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[tuple[int, int]]:
    """The rows of a frame that stamps will be cut from.

    Parameters
    ----------
    frame
        Its WCS and shape are read.
    own : array [n, 2]
        ra, dec in degrees of the objects of its field.
    before, after : array [m, 2]
        Of the adjacent fields, which need this frame only where a row edge of their own cuts the stamp. Adjacent fields
        differ by a few pixels from the 128 rows they share, hence a slack of 8.

    Returns
    -------
    list
        Ranges [first, last).
    """
    height = frame.data.shape[0]
    rows = []
    for sky, first, last in (
        (own, -np.inf, np.inf),
        (before, _OVERLAP - CENTRE - _SLACK, np.inf),
        (after, -np.inf, height - _OVERLAP + CENTRE + _SLACK),
    ):
        if len(sky):
            y = frame.wcs.wcs_world2pix(sky, 0)[:, 1]
            top = np.floor(y[(y >= first) & (y <= last)] + 0.5).astype(int) - CENTRE
            rows += [(int(a), int(a) + SIZE) for a in top if a < height and a + SIZE > 0]
    return rows


def check_position(frame: Frame, own: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    """See that a frame shows the sky of its field: that an object of the field, or of an adjacent one, lies on it or near.

    A frame's header alone cannot tell that its position is right. One object near suffices, so that a wrong row of a
    catalog does no harm to the others.

    Parameters
    ----------
    frame
        Its WCS and shape are read.
    own : array [n, 2]
        ra, dec in degrees of the objects of its field.
    before, after : array [m, 2]
        Of the adjacent fields, looked at where `own` is empty; they lie at most one frame away.

    Raises
    ------
    Refused
        All objects are elsewhere.
    """
    height, width = frame.data.shape
    sky = own if len(own) else np.concatenate([before, after])
    if not len(sky):
        return
    reach = np.array([0, 0 if len(own) else height]) + _NEAR
    xy = frame.wcs.wcs_world2pix(sky, 0)
    off = np.maximum(-xy, xy - [width - 1, height - 1])  # NaN where an object lies behind the tangent plane
    if not (off <= reach).all(1).any():
        raise Refused(
            f"not one of {len(sky)} object(s) of its field lies on it or near; its WCS shows another place of the sky"
        )
