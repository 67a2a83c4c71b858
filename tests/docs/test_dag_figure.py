"""docs/dag.svg shows the rules that there are."""

import re

from helpers import ROOT
from project import copied, planned


def test_the_graph_of_rules_has_every_rule_of_the_main_job(tmp_path):
    copied(tmp_path)
    (tmp_path / "none.yaml").write_text("{}\n")
    rules = {job.rule.name for job in planned(tmp_path, ["none.yaml"], "results/metrics.csv", everything=True)}
    shown = set(re.findall(r">(\w+)</text>", (ROOT / "docs/dag.svg").read_text()))
    assert shown == rules, "make docs draws it anew"
