"""SDSS's own formats: frames, spectra, identifiers, positions.

In come bytes, paths and ids of the archive.
Out go arrays, with their WCS or wavelengths; what is damaged is refused.
"""
