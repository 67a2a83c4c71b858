"""Names of spectral classes, as SQL Server compares them."""

import pandas as pd


def cleaned_class(names: pd.Series) -> pd.Series:
    """Class names in capital letters, without blanks around them."""
    return names.astype("string").str.strip().str.upper()
