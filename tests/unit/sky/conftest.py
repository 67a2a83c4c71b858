"""A synthetic survey of 100 quasars: its files, its tables."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from toy_sky import make


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("sky"), workers=1)


@pytest.fixture(scope="session")
def tables(built) -> tuple[pd.DataFrame, pd.DataFrame]:
    with sqlite3.connect(built / "sky.sqlite") as connection:
        return tuple(pd.read_sql(f"SELECT * FROM {name}", connection) for name in ("PhotoObjAll", "SpecObjAll"))


@pytest.fixture(scope="session")
def truth(built) -> pd.DataFrame:
    return pd.read_parquet(built / "truth.parquet")
