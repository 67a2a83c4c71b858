"""`python -m attacks [GROUP ...]`: runs the attacks, names what came of them otherwise than it should, and counts."""

import argparse
import fnmatch
import sys
from collections.abc import Callable, Iterator, Sequence

from attacks import (
    answers,
    calls,
    downloads,
    ecsv,
    estimates,
    fits,
    footers,
    forged,
    frames,
    images,
    mat,
    names,
    parquet,
    queries,
    ranges,
    services,
    starts,
    surroundings,
    text,
    units,
    votable,
    weights,
    zips,
)
from attacks.harness import Case, Outcome, outcomes

GROUPS: dict[str, Callable[[], Iterator[Case]]] = {
    "text": text.cases, "ecsv": ecsv.cases, "fits": fits.cases, "votable": votable.cases, "parquet": parquet.cases, "footers": footers.cases,
    "names": names.cases, "units": units.cases, "images": images.cases, "frames": frames.cases, "mat": mat.cases, "zips": zips.cases,
    "bundles": forged.cases, "weights": weights.cases, "starts": starts.cases, "estimates": estimates.cases, "calls": calls.cases,
    "answers": answers.cases, "ranges": ranges.cases, "downloads": downloads.cases, "services": services.cases, "queries": queries.cases,
    "surroundings": surroundings.cases,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser("python -m attacks")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases of such names")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="show what each case said")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    if unknown := set(options.groups) - GROUPS.keys():
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    found = []
    # One group at a time: a process inherits the files of all cases that were made, and they count as its memory.
    for name in options.groups or GROUPS:
        chosen = {name: [case for case in GROUPS[name]() if fnmatch.fnmatch(case.name, options.only)]}
        for outcome in outcomes(chosen, options.jobs):
            found.append(outcome)
            if outcome.fault or options.verbose:
                print(
                    f"{outcome.group} / {outcome.name}: {outcome.fault or 'fine'}\n    {outcome.said[:400]}", flush=True
                )
        chosen.clear()
    print(summary(found))
    sys.exit(any(outcome.fault for outcome in found))


def summary(found: Sequence[Outcome]) -> str:
    """A table: cases, faults, largest memory and longest time of each group and of all."""
    lines = [f"{'group':<12}{'cases':>7}{'faults':>8}{'MB':>7}{'s':>6}"]
    for group in [*dict.fromkeys(outcome.group for outcome in found), "all"]:
        some = [outcome for outcome in found if group in (outcome.group, "all")]
        faults = sum(bool(outcome.fault) for outcome in some)
        peak, seconds = (max((getattr(one, name) for one in some), default=0) for name in ("peak_mb", "seconds"))
        lines.append(f"{group:<12}{len(some):>7}{faults:>8}{peak:>7.0f}{seconds:>6.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
