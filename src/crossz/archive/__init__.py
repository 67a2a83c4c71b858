"""The archive: the only network access of the package.

In: addresses, SQL, ids of fields and spectra.
Out: checked rows, frames and spectra.
"""
