"""The external surveys that `photometry.crossmatch` names: their tables in VizieR, and the columns that are taken of them.

Magnitudes are as published: AllWISE, CatWISE and Gaia in the Vega system, GALEX in AB, none corrected for extinction.
"""

from typing import NamedTuple


class Survey(NamedTuple):
    """One table of VizieR, with the names that CDS XMatch gives its columns.

    Attributes
    ----------
    table
        Name in VizieR.
    position
        Its columns of right ascension and declination, degrees.
    columns
        Our name of each column that the models see -> its name there. Magnitudes; proper motions in mas/yr (that in right
        ascension with the factor cos dec); parallax in mas; errors have the unit of their column.
    epoch
        Julian year of `position`, where proper motions lead away from it; None: none are known.
    motion
        Our names of the proper motions.
    """

    table: str
    position: tuple[str, str]
    columns: dict[str, str]
    epoch: float | None = None
    motion: tuple[str, str] | None = None


SURVEYS = {
    # Cutri et al. (2013). A magnitude without an error is an upper limit of the flux.
    "allwise": Survey(
        "II/328/allwise",
        ("RAJ2000", "DEJ2000"),
        {
            "allwise_w1": "W1mag",
            "allwise_w1_err": "e_W1mag",
            "allwise_w2": "W2mag",
            "allwise_w2_err": "e_W2mag",
            "allwise_w3": "W3mag",
            "allwise_w3_err": "e_W3mag",
            "allwise_w4": "W4mag",
            "allwise_w4_err": "e_W4mag",
        },
    ),
    # CatWISE2020, Marocco et al. (2021). Its own proper motions are too coarse to lead a position.
    "catwise": Survey(
        "II/365/catwise",
        ("RAdeg", "DEdeg"),
        {
            "catwise_w1": "W1mproPM",
            "catwise_w1_err": "e_W1mproPM",
            "catwise_w2": "W2mproPM",
            "catwise_w2_err": "e_W2mproPM",
        },
    ),
    # Gaia DR3, Gaia Collaboration (2023); positions at J2016.0.
    "gaia": Survey(
        "I/355/gaiadr3",
        ("RAdeg", "DEdeg"),
        {
            "gaia_g": "Gmag",
            "gaia_bp": "BPmag",
            "gaia_rp": "RPmag",
            "gaia_parallax": "Plx",
            "gaia_parallax_err": "e_Plx",
            "gaia_pmra": "pmRA",
            "gaia_pmra_err": "e_pmRA",
            "gaia_pmdec": "pmDE",
            "gaia_pmdec_err": "e_pmDE",
        },
        2016.0,
        ("gaia_pmra", "gaia_pmdec"),
    ),
    # GUVcat_AIS GR6+7, Bianchi et al. (2017).
    "galex": Survey(
        "II/335/galex_ais",
        ("RAJ2000", "DEJ2000"),
        {
            "galex_fuv": "FUVmag",
            "galex_fuv_err": "e_FUVmag",
            "galex_nuv": "NUVmag",
            "galex_nuv_err": "e_NUVmag",
        },
    ),
}
