"""PDFs of new objects for qp: the rows of the table, in their order, whatever the batches are."""

import numpy as np
import pandas as pd
import pytest
import qp

from crossz.apply import cli
from crossz.catalog import batches
from crossz.core.constants import BANDS


def test_the_ensemble_has_a_row_for_each_row_of_the_table(made, targets, tmp_path, monkeypatch, capsys):
    kept = ["objID", *(f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS)]
    rows = targets[kept].copy()
    rows.loc[3, kept[1:]] = np.nan
    rows.to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setattr(batches, "ROWS", 50)
    cli.main(["predict", str(made), f"{tmp_path}/mine.csv", f"{tmp_path}/out.parquet", "--pdf", "qp", "--no-page"])
    table, ensemble = pd.read_parquet(tmp_path / "out.parquet"), qp.read(str(tmp_path / "out.hdf5"))
    assert not [name for name in table if name.startswith(("pdf", "weight_"))]
    assert ensemble.npdf == len(table) == 120
    known = (table["status"] == "ok").to_numpy()
    assert ensemble.ancil["known"].tolist() == known.astype(int).tolist()
    assert (~known).sum() == 1
    middle = ensemble.ppf([0.5]).ravel()
    assert middle[known] == pytest.approx(table["z_median"][known].to_numpy(), abs=0.005)
    with pytest.raises(SystemExit):
        cli.main(["predict", str(made), "--at", "1", "2", "--pdf", "qp"])
    assert "--pdf qp is for tables" in capsys.readouterr().err
