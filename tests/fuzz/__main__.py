"""`python -m fuzz TARGET`: changes examples at random until the cases, or the seconds, are used up."""

import argparse
import faulthandler
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from fuzz.mutate import mutated
from fuzz.targets import REFUSALS, TARGETS, Target

SLOW_S, HUNG_S, MOST_MB = 20.0, 300.0, 500
"""Seconds of the processor and of the clock that a case may take, and memory that all cases may add."""


def main() -> None:
    parser = argparse.ArgumentParser("python -m fuzz")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=Path, help="a case that failed")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder for cases that fail")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = TARGETS[options.target](Path(scratch))
        if options.replay:
            case(target, options.replay.read_bytes())
            return
        for seed in target.seeds:
            case(target, seed)
        before = peak_mb()
        begin, random_, count = time.monotonic(), random.Random(options.seed), 0
        while count < options.cases and time.monotonic() - begin < options.seconds:
            count += 1
            data = mutated(random_.choice(target.seeds), target.seeds, random_)
            options.keep.mkdir(exist_ok=True)
            path = options.keep / f"{options.target}-{options.seed}-{count}"
            path.write_bytes(data)  # before it runs: a crash of the interpreter leaves it
            case(target, data)
            if peak_mb() - before > MOST_MB:
                sys.exit(f"{path}: {peak_mb() - before:.0f} MB more than before")
            path.unlink()
    sys.stdout.write(f"{options.target}: {count} cases, {peak_mb() - before:.0f} MB\n")


def case(target: Target, data: bytes) -> None:
    """Run one case: it ends with a refusal or with a result that holds, and soon."""
    faulthandler.dump_traceback_later(HUNG_S, exit=True)
    begin = time.process_time()
    try:
        target.run(data)
    except REFUSALS:
        pass
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert time.process_time() - begin < SLOW_S, "slow"


def peak_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
