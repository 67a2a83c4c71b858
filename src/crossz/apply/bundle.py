"""The networks of all splits together: of a run, or of a bundle."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from crossz.apply import stacking
from crossz.apply.bundle_folder import DOMAIN, FACTS, check, opened, table_columns
from crossz.apply.domain import Domain, read_domain
from crossz.apply.probe import largest_difference, probe
from crossz.apply.stacking import Stack
from crossz.apply.weights import shapes_of, unpacked
from crossz.core.errors import CrosszError
from crossz.core.files import read_json
from crossz.core.version import VERSION
from crossz.models.crossmodal import CrossModal
from crossz.models.device import choose_device, on_device
from crossz.models.features import tree_features
from crossz.models.inference import Networks, build, for_estimates, load_networks
from crossz.models.info import ModelInfo

if TYPE_CHECKING:
    import numpy as np

    from crossz.apply.found import Found
    from crossz.apply.predict import Images

log = logging.getLogger(__name__)

COMMON = ("crossmodal", "train", "magnitudes", "features", "columns", "classes", "seed")
"""Of ModelInfo: what the splits of one network share."""
_TOLERANCE = 2e-3  # of ln(1 + z), between a probe's answers here and where the bundle was made
_MALFORMED = (
    AssertionError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ValueError,
    RuntimeError,
    OverflowError,
    MemoryError,
)
_MOST_MEMBERS = 100


@dataclass(frozen=True, repr=False)
class Bundle:
    """The networks of all splits. `crossz.predict` averages their estimates of new objects."""

    splits: tuple[Networks, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The content of bundle.json; empty if the networks are those of a run."""
    temperature: Mapping[str, float] = field(default_factory=dict)
    """By input pattern: what recalibrates the mean over the splits (scores.ensemble); 1 where there is none."""
    stack: Stack | None = None
    """Trees that are pooled with the networks, if there are any."""
    domain: Domain | None = None
    """What the distance of new objects is measured from; None of a bundle that was made without."""
    ends: tuple[float, float] | None = None
    """The lowest and the highest redshift that the networks know (scores.ensemble); None of a bundle that was made without."""

    @property
    def columns(self) -> list[str]:
        """Columns that a table of targets must have: magnitudes and errors, and extra columns of the networks."""
        info = self.splits[0].info
        return table_columns(info.magnitudes, info.columns)

    def predict(
        self,
        table: Any,
        images: "np.ndarray | Images | None" = None,
        columns: Mapping[str, str] | None = None,
        units: str | None = None,
    ) -> "Found":
        """The redshift, or the class, of every row of a table.

        Parameters
        ----------
        table
            A DataFrame, a table of astropy or pyarrow, a dict of arrays, a structured array, or the path of a file, with the
            magnitudes and errors of n objects (`columns`). Columns and units are found as `crossz predict` finds them.
        images
            [n, 5, 64, 64] nanomaggies as `crossz.images_from` takes them, or what `crossz.images_in` gave.
        columns
            The table's name of each of our columns, where the two differ: {"psfMag_*": "*mag"}.
        units
            Of magnitudes and their errors: asinh, AB, nmgy, maggies, uJy, Jy ...; None: as the table says, else asinh.

        Returns
        -------
        Found
            `table`, the given columns and ours; `pdf(z)`; `plot(row)`.

        Raises
        ------
        CrosszError
            It is no table, or lacks a column, or the images are not one a row.
        """
        from crossz.apply.found import estimated  # which imports this module

        return estimated(self, table, images, columns, units)

    def __repr__(self) -> str:
        info, device = self.splits[0].info, self.splits[0].device
        source = "of a run"
        if self.facts:
            source = f"{self.facts.get('dataset')}-{self.facts.get('network')}"
        estimate = f"classes {', '.join(info.classes)}" if info.classes else "redshifts"
        return (
            f"<Bundle {source}: {estimate}, {len(self.splits)} split(s) of {len(info.members)} network(s), "
            f"magnitudes {info.magnitudes}, inputs {', '.join(info.inputs)}, on {device}>"
        )


def trained_networks(
    models: Sequence[str | Path],
    infos: Sequence[str | Path],
    ensemble: str | Path | None = None,
    stack: Sequence[str | Path] = (),
    domain: str | Path | None = None,
) -> Bundle:
    """The networks of a run: model.pt and model.json of each split, ensemble.json, the files of `stacking.of_run`, and domain.safetensors."""
    device = choose_device()
    splits = tuple(load_networks(model, info, device) for model, info in zip(models, infos, strict=True))
    together = {"temperature": {}} if ensemble is None else read_json(ensemble)
    ends = tuple(together["ends"]) if "ends" in together else None
    measured = None if domain is None else read_domain(domain, splits[0].info)
    return Bundle(splits, temperature=together["temperature"], stack=stacking.of_run(stack), domain=measured, ends=ends)


def load_bundle(network: str | Path, device: torch.device | None = None) -> Bundle:
    """Read a network that comes with crossz, or a bundle of your own.

    Parameters
    ----------
    network
        The name of a network (`crossz models`); else the folder of a bundle, or its zip file.
    device
        Where its networks compute; default: the GPU if there is one.

    Raises
    ------
    CrosszError
        There is no such network; the folder is damaged or no bundle (`check`), the weights are no safetensors file or do not fit the network, or the
        probe of the networks gives other answers than when they were exported.
    """
    with opened(network) as folder:
        return _read(folder, choose_device() if device is None else device)


load = load_bundle
"""The same by its short name: `crossz.load("sdss-dr5q")`."""


def _read(folder: Path, device: torch.device) -> Bundle:
    facts = check(folder)
    splits = []
    for number, split in enumerate(facts["splits"]):
        path = folder / split["weights"]
        try:
            networks, difference = _split(path, facts, number)
        except CrosszError:  # a RuntimeError that says more
            raise
        except _MALFORMED as error:
            raise CrosszError(f"{folder / FACTS}: incomplete ({error!r}); get the bundle again") from error
        if not difference <= _TOLERANCE:
            raise CrosszError(f"{path}: {_other_answers(facts, difference)}")
        log.debug(f"{path}: {len(networks.members)} network(s), answers of the probe within {difference:.2g}")
        splits.append(Networks([on_device(net, device) for net in networks.members], networks.info))
    features = tree_features(len(splits[0].info.columns))
    stack, domain = stacking.of_bundle(folder, facts, features), _domain(Path(folder), facts, splits[0].info)
    return Bundle(tuple(splits), facts, _temperature(folder, facts), stack, domain, _ends(folder, facts))


def _domain(folder: Path, facts: Mapping[str, Any], info: ModelInfo) -> Domain | None:
    """What distances are measured from; None, with a warning, of a bundle that was made without."""
    said = facts["domain"]
    if "reference" not in said:
        log.warning(
            f"{folder}: it does not know how far objects lie from its training: domain_p is empty; export it again"
        )
        return None
    domain = read_domain(folder / DOMAIN, info)
    threshold = said.get("threshold")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold < 1:
        raise CrosszError(f"{folder / FACTS}: domain: no threshold between 0 and 1; get the bundle again")
    return replace(domain, threshold=float(threshold))


def _temperature(folder: str | Path, facts: Mapping[str, Any]) -> dict[str, float]:
    """The temperatures of all splits together; none of a bundle that was made without them."""
    try:
        found = {
            str(inputs): float(value) for inputs, value in facts.get("ensemble", {}).get("temperature", {}).items()
        }
    except _MALFORMED as error:
        raise CrosszError(f"{Path(folder) / FACTS}: ensemble: incomplete ({error!r}); get the bundle again") from error
    if wrong := [inputs for inputs, value in found.items() if not stacking.COOLEST < value < stacking.HOTTEST]:
        raise CrosszError(
            f"{Path(folder) / FACTS}: ensemble: no temperature of {', '.join(wrong)}; get the bundle again"
        )
    return found


def _ends(folder: Path, facts: Mapping[str, Any]) -> tuple[float, float] | None:
    """The lowest and the highest redshift that the networks know; None of a bundle that was made without."""
    ends = facts.get("ensemble", {}).get("ends")
    if ends is None:
        return None
    try:
        low, high = map(float, ends)
    except _MALFORMED as error:
        raise CrosszError(f"{folder / FACTS}: ensemble: no two ends ({error!r}); get the bundle again") from error
    if not -1 < low < high < math.inf:
        raise CrosszError(f"{folder / FACTS}: ensemble: ends that are no redshifts; get the bundle again")
    return low, high


def _split(path: Path, facts: Mapping[str, Any], number: int) -> tuple[Networks, float]:
    """The networks of one split on the processor, and how far their answers are from the exported ones."""
    common = {name: facts[name] for name in COMMON if name in facts}
    info = ModelInfo.from_json(common | facts["splits"][number], path.with_name(FACTS))
    networks = Networks(_members(path, info), info)
    answers, expected = probe(networks), facts["probe"][number]
    return networks, max(largest_difference(answers[inputs], expected[inputs]) for inputs in answers | expected)


def _check_shapes(path: Path, info: ModelInfo) -> None:
    """Compare names and shapes of the weights with those of the described networks before either takes memory.

    Raises ValueError where they differ.
    """
    if not isinstance(info.members, list | tuple) or not 0 < len(info.members) <= _MOST_MEMBERS:
        raise ValueError(f"members: no list, or not 1 to {_MOST_MEMBERS} networks")
    with torch.device("meta"):
        whole = build(info).state_dict()
        net = for_estimates(build(info), info).state_dict()
    wanted = {
        f"{number}.{name}": tuple(value.shape) for number in range(len(info.members)) for name, value in net.items()
    }
    with safe_open(path, "pt") as handle:
        shapes = {name: tuple(handle.get_slice(name).get_shape()) for name in handle.keys()}  # noqa: SIM118 (no mapping)
    unused = {f"{number}.{name}" for number in range(len(info.members)) for name in whole.keys() - net.keys()}
    found = {name: shape for name, shape in shapes_of(shapes).items() if name not in unused}  # format 2 has them
    if other := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        name = other[0]
        raise ValueError(f"{name} has the shape {found.get(name)} instead of {wanted.get(name)}")


def _members(path: Path, info: ModelInfo) -> list[CrossModal]:
    try:
        _check_shapes(path, info)
        weights = unpacked(load_file(path))
        members = [for_estimates(build(info), info) for _ in info.members]
        for number, net in enumerate(members):
            begin = f"{number}."
            net.load_state_dict({name: weights[begin + name] for name in net.state_dict()})
            net.eval()
    except (SafetensorError, ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())
        raise CrosszError(
            f"{path}: not weights of the network that {FACTS} describes: {message[:300]}; get the bundle again"
        ) from error
    return members


def _other_answers(facts: Mapping[str, Any], difference: float) -> str:
    made = facts.get("made", {}).get("versions", {}).get("torch")
    return (
        f"its networks answer otherwise than when they were exported (by {difference:.2g} of ln(1 + z) or of a "
        f"probability); crossz {facts.get('crossz')} and torch {made} made the bundle, here are crossz {VERSION} and "
        f"torch {torch.__version__}: use the former"
    )
