"""What the training of a deep network costs on a processor, before anything runs."""

from typing import Any

from crossz.core.config import network
from crossz.core.names import APERTURES

RATES = {"resnet18": 94.0, "resnet50": 38.0, "resnet101": 22.0}
"""Images a second in training, on one core with the published stem, of 64 pixels (docs/performance.md)."""
_SMALL_STEM = 16  # so much more the stem for small images costs


def cost_in_words(config: dict[str, Any]) -> list[str]:
    """A line for each network whose backbone is deep: images a second on one core, and hours of all trainings.

    Parameters
    ----------
    config
        The checked configuration.
    """
    lines = []
    for name in config["networks"]:
        blocks = network(config, name)
        settings, train = blocks["crossmodal"], blocks["train"]
        backbone = settings["backbone"]
        if backbone in APERTURES or settings["z_patterns"] == "phot":
            continue
        rate = RATES.get(backbone, RATES["resnet18"]) / (_SMALL_STEM if settings["stem"] == "small" else 1)
        trainings = config["splits"]["count"] * len(config["datasets"]) * train["members"]
        hours = 1000 * train["epochs"] * train["share"] * trainings / rate / 3600
        most = "" if backbone in RATES else "at most "
        least = "" if backbone in RATES else "at least "
        lines.append(
            f"{name}: {backbone} trains {most}{rate:.0f} images/s on one core; {trainings} trainings of {train['epochs']} "
            f"epochs take {least}{hours:.1f} core hours for each 1,000 training objects. Use a GPU"
        )
    return lines
