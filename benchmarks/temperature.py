"""What the recalibration of one input pattern costs: the temperature of the validation part, and the mean CRPS once.

    OMP_NUM_THREADS=1 PYTHONPATH=src python benchmarks/temperature.py [--rows 93000] [--output temperature.json]

93,000 objects are a validation part of DR17. PDFs are simulated, and too narrow. The temperature of all splits together is
fitted to 4,000 objects of a mean over five splits, which has five times as many components. Processor time, the best of three.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import table

from crossz.core.provenance import versions
from crossz.estimates import classes, pdf
from crossz.estimates.ensemble import HeldOut
from crossz.estimates.estimates import Pdf
from crossz.estimates.pdf import Mixture
from crossz.scores import ensemble

COMPONENTS, SPLITS, CLASSES = (4, 12), 5, 3


def seconds(call: Callable[[], object]) -> float:
    """Processor seconds, the best of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def mixtures(count: int, components: int) -> tuple[Mixture, np.ndarray]:
    """PDFs four fifths as wide as they should be, and true values."""
    rng = np.random.default_rng(components)
    mean = 1.1 + 0.3 * rng.standard_normal((count, components))
    sigma = rng.uniform(0.02, 0.15, (count, components))
    found = Mixture(rng.dirichlet(np.ones(components), count), mean, 0.8 * sigma)
    return found, rng.normal(mean[:, 0], sigma[:, 0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=93_000)
    parser.add_argument("--output", type=Path, default=Path("temperature.json"))
    arguments = parser.parse_args()
    pdf.crps(*mixtures(10, 1))  # torch is imported
    found = {}
    for components in COMPONENTS:
        pdfs, y = mixtures(arguments.rows, components)
        one = [seconds(lambda: pdf.crps(pdfs, y)), seconds(lambda: pdf.fit_temperature(pdfs, y))]  # noqa: B023
        pdfs, y = mixtures(arguments.rows, components * SPLITS)
        parts = [HeldOut(Pdf(pdfs), np.expm1(y), SPLITS)]
        found[f"{components} components"] = [*one, seconds(lambda: ensemble.fit_temperature(parts))]  # noqa: B023
    rng = np.random.default_rng(0)
    probability, label = rng.dirichlet(np.ones(CLASSES), arguments.rows), rng.integers(CLASSES, size=arguments.rows)
    name = f"{CLASSES} classes"
    once = seconds(lambda: classes.log_loss(classes.temperature_scaled(probability, 2.0), label))
    found[name] = [once, seconds(lambda: classes.fit_temperature(probability, label))]
    result = {"rows": arguments.rows, "versions": versions("numpy", "torch"), "seconds": found}
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    rows = [[name, *(f"{value:.2f} s" for value in each), *[""] * (3 - len(each))] for name, each in found.items()]
    print(table(["estimates", "one score", "temperature", "temperature of five splits"], rows))


if __name__ == "__main__":
    main()
