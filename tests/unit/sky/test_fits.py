"""FITS as bytes."""

import numpy as np
from astropy.io import fits as astropy_fits

from crossz.sky import fits


def test_fits_bytes_are_read_back_by_astropy(tmp_path):
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    rows = np.zeros(2, [("A", ">f8"), ("NAME", "S5"), ("GRID", ">f4", (2, 3)), ("N", ">i4", (2,))])
    rows["A"], rows["NAME"], rows["GRID"][1] = [1.5, -2e-10], ["ab", "xyzzy"], np.arange(6).reshape(2, 3)
    cards = [("RUN", 94, "a comment"), ("CRVAL1", 359.12345678901234), ("TINY", 1e-10), ("FLAG", False), ("TEXT", "it")]
    path = tmp_path / "a.fits"
    path.write_bytes(fits.primary(image, cards) + fits.image(image[0]) + fits.table(rows, "NAMES"))
    with astropy_fits.open(path) as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus[0].data, image)
        assert [hdus[0].header[card[0]] for card in cards] == [card[1] for card in cards]
        np.testing.assert_array_equal(hdus[1].data, image[0])
        np.testing.assert_array_equal(hdus["NAMES"].data["GRID"], rows["GRID"])
        assert list(hdus["NAMES"].data["NAME"]) == ["ab", "xyzzy"]
        assert list(hdus["NAMES"].data["A"]) == [1.5, -2e-10]
