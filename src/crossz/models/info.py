"""What has to be known of trained networks to use them: the contract between training, inference and bundles."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from crossz.core.errors import CrosszError
from crossz.core.files import read_json, write_json
from crossz.core.names import ALONE, PATTERNS
from crossz.models.features import colour_count

FORMAT = 2
"""Format number of model.json. A change that older code cannot read gets another number; model.json of 0.1.0 had none."""


@dataclass(frozen=True)
class ModelInfo:
    """The networks of one split: how they were made, scaled and recalibrated. Equal settings give equal bytes."""

    crossmodal: dict[str, Any]
    """The block `crossmodal` of the configuration, with the changes of the network's variant."""
    train: dict[str, Any]
    """The block `train`, likewise."""
    magnitudes: str
    """dered_model or psf."""
    seed: int
    n: dict[str, int]
    """Number of objects of each subset that have a usable image; of train, those of `train.share`."""
    scalers: dict[str, Any]
    """x_mag, x_colour, extinction, z: centre and width of each; sky_noise [5] of networks that see images."""
    features: str = "colours"
    """What stands beside the magnitudes: colours, or fluxes too (`features.tokens`)."""
    columns: tuple[str, ...] = ()
    """Extra columns of the catalog that the networks read."""
    classes: tuple[str, ...] = ()
    """The classes that they tell apart; none of networks that estimate redshifts."""
    temperature: dict[str, float] | None = None
    """By input pattern: what recalibrates PDFs or probabilities; None before training has ended, and of points."""
    members: tuple[dict[str, Any], ...] = ()
    """Of each network: best_epoch, best_score, epochs_run, discriminator_accuracy (of that epoch; 0.5 is a guess)."""
    processes: int = 1
    """How many processes trained together."""
    device: str = "cpu"
    """Type of the device of the training."""
    model_sha256: str | None = None
    """Digest of the file of the weights."""

    @property
    def z_patterns(self) -> str:
        """Which input patterns train the redshift head: all, real, phot or img."""
        return str(self.crossmodal["z_patterns"])

    @property
    def colour_count(self) -> int:
        """Length of X_colour."""
        return colour_count(self.features, len(self.columns))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input patterns that the networks can be given: the four, or the one modality."""
        return (self.z_patterns,) if self.z_patterns in ALONE else PATTERNS

    @property
    def trained_inputs(self) -> tuple[str, ...]:
        """The input patterns whose redshift is trained: all four, the paper's (real, real) alone, or the one modality."""
        return {"all": PATTERNS, "real": ("phot+img",)}.get(self.z_patterns, (self.z_patterns,))

    @property
    def sees_photometry(self) -> bool:
        """Whether the networks read magnitudes."""
        return self.z_patterns != "img"

    @property
    def sees_images(self) -> bool:
        """Whether the networks read images."""
        return self.z_patterns != "phot"

    @property
    def sky_noise(self) -> list[float]:
        """Softening [5] of the images' stretch, in store units."""
        return list(self.scalers["sky_noise"])

    def temperature_of(self, inputs: str) -> float | None:
        """The temperature of one input pattern; None of points, and before training has ended."""
        return None if self.temperature is None else self.temperature.get(inputs)

    def with_fields(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """What a JSON file says of the networks; empty fields, and one process, are left out."""
        content = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value not in ((), None) and (name, value) != ("processes", 1)
        }
        return {"format": FORMAT} | content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], source: str | Path) -> Self:
        """The inverse of `to_json`.

        Raises
        ------
        CrosszError
            The format is another one, or something is absent; the message names `source`.
        """
        if content.get("format") != FORMAT:
            raise CrosszError(
                f"{source}: networks of format {content.get('format')!r}; this crossz reads format {FORMAT}: train again, or get a newer bundle"
            )
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in content.items() if name in known
        }
        try:
            return cls(**given)
        except TypeError as error:
            raise CrosszError(f"{source}: incomplete ({error}); make it again") from error

    def write(self, path: str | Path) -> None:
        """Write `to_json` to `path`."""
        write_json(path, self.to_json())

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The networks that model.json at `path` describes. Raises CrosszError as `from_json` does."""
        return cls.from_json(read_json(path), path)
