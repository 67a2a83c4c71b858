"""A bundle over the partitions of a HATS catalog: the rows of `crossz predict`, whatever the number of workers."""

import numpy as np
import pandas as pd
import pytest

from crossz.apply import cli, hats
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError

MAGNITUDES = ["objID", *(f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS)]


@pytest.fixture
def rows(targets):
    rng = np.random.default_rng(0)
    rows = targets[MAGNITUDES].assign(ra=rng.uniform(0, 360, len(targets)), dec=rng.uniform(-80, 80, len(targets)))
    rows.loc[4, [f"dered_{band}" for band in BANDS]] = np.nan
    return rows


@pytest.fixture
def wanted(made, rows, tmp_path):
    """What the command gives, by objID."""
    rows.to_parquet(tmp_path / "mine.parquet", index=False)
    cli.main(["predict", str(made), str(tmp_path / "mine.parquet"), f"{tmp_path}/out/"])
    return pd.read_parquet(tmp_path / "out").set_index("objID").sort_index()


def same(found, wanted):
    found = found.set_index("objID").sort_index()
    assert list(found) == list(wanted)
    for name in wanted:
        if name.startswith("pdf_"):
            np.testing.assert_allclose(np.stack(found[name]), np.stack(wanted[name]), rtol=1e-5, atol=1e-7)
        elif pd.api.types.is_float_dtype(wanted[name]):
            np.testing.assert_allclose(found[name].to_numpy(float, na_value=np.nan), wanted[name], rtol=1e-5, atol=1e-7)
        else:
            assert found[name].fillna("").tolist() == wanted[name].fillna("").tolist(), name


def test_partitions_get_the_rows_of_the_command(made, rows, wanted):
    parts = [hats.partition_estimates(rows.iloc[numbers], str(made)) for numbers in (range(50), range(50, 120))]
    assert pd.concat(parts).index.tolist() == rows.index.tolist()
    same(pd.concat(parts), wanted)


def test_an_empty_partition_has_the_same_columns_and_types(made, rows):
    full, empty = (hats.partition_estimates(part, str(made)) for part in (rows, rows.head(0)))
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert not len(empty)


def test_a_partition_of_any_size_goes_through_in_pieces(made, rows, wanted, monkeypatch):
    monkeypatch.setattr(hats, "ROWS", 7)
    same(hats.partition_estimates(rows, str(made)), wanted)


def test_what_the_catalog_lacks_is_named(made, rows):
    theirs = rows.rename(columns={f"dered_{band}": f"mag_{band}" for band in BANDS})
    with pytest.raises(CrosszError, match=r"the catalog: no column dered_\*"):
        hats.partition_estimates(theirs, str(made))
    found = hats.partition_estimates(theirs, str(made), {"dered_*": "mag_*"})
    assert list(found)[: len(list(theirs))] == list(theirs)
    assert found["z_phot"].notna().sum() == len(rows) - 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_lsdb_maps_a_bundle_over_a_catalog_of_hats_import(made, rows, wanted, tmp_path, workers):
    lsdb = pytest.importorskip("lsdb")
    pytest.importorskip("hats_import")
    from dask.distributed import Client
    from hats_import.catalog.arguments import ImportArguments
    from hats_import.pipeline import pipeline_with_client

    arguments = ImportArguments(
        output_path=tmp_path, output_artifact_name="sky", input_file_list=[tmp_path / "mine.parquet"],
        file_reader="parquet", constant_healpix_order=0, progress_bar=False, tmp_dir=tmp_path, dask_tmp=tmp_path,
    )  # fmt: skip
    with Client(
        n_workers=workers, threads_per_worker=1, local_directory=str(tmp_path), dashboard_address=None
    ) as client:
        pipeline_with_client(arguments, client)
        catalog = hats.map_catalog(lsdb.open_catalog(tmp_path / "sky"), made)
        assert catalog.npartitions > 8
        catalog.write_catalog(tmp_path / "redshifts", progress_bar=False)
        written = lsdb.open_catalog(tmp_path / "redshifts").compute()
    same(pd.DataFrame(written)[["objID", *wanted]], wanted)
