"""Image backbones: any torchvision ResNet, ConvNeXt or ViT by name with five input bands, and learned apertures for CPUs."""

from typing import Any

import numpy as np
import torch
from torch import nn

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.names import APERTURES, GROWTH

IMAGE_SIZE = 64
_CENTRE = 32  # pixels: edge of what apertures see, 13 arcsec
_WIDTHS = 6  # of the Gaussians of the curve of growth, from 1 to _WIDEST pixels
_WIDEST = 8.0


def build(name: str, stem: str) -> tuple[nn.Module, int]:
    """A network from images [n, 5, 64, 64] to features [n, f], with random weights: the paper trains from scratch.

    Parameters
    ----------
    name
        "growth", "small", or the name of a torchvision ResNet, ConvNeXt or ViT.
    stem
        "small" keeps resolution that a 64-pixel image cannot spare (ResNet: 3x3 stride-1 convolution and no max-pooling;
        ConvNeXt and ViT: patches of 2 and 8 pixels); "imagenet" is the published stem.

    Returns
    -------
    network, f
        The network and the number of its features.

    Raises
    ------
    CrosszError
        The name is unknown.
    """
    if name in APERTURES:
        apertures = Small(growth=name == GROWTH)
        return apertures, apertures.features
    import torchvision  # half of this package's import time, and not needed above

    families = ("resnet", "resnext", "wide_resnet", "convnext", "vit")
    if not name.startswith(families) or name not in torchvision.models.list_models(torchvision.models):
        raise CrosszError(
            f"crossmodal.backbone: {name!r} is neither {' nor '.join(APERTURES)} nor a torchvision ResNet, ConvNeXt or ViT"
        )
    small = stem == "small"
    if name.startswith("vit"):
        size = {"image_size": IMAGE_SIZE, "patch_size": 8} if small else {"image_size": IMAGE_SIZE}
        net = _vit(name, size)
        features = net.heads.head.in_features
        net.heads = nn.Identity()
        return net, features
    net = torchvision.models.get_model(name, weights=None)
    if name.startswith("convnext"):
        features = net.classifier[-1].in_features
        net.classifier[-1] = nn.Identity()
        first = net.features[0][0]
        patch = 2 if small else 4
        net.features[0][0] = nn.Conv2d(len(BANDS), first.out_channels, patch, stride=patch)
        return net, features
    features = net.fc.in_features
    net.fc = nn.Identity()
    width = net.conv1.out_channels
    if small:
        net.conv1 = nn.Conv2d(len(BANDS), width, 3, padding=1, bias=False)
        net.maxpool = nn.Identity()
    else:
        net.conv1 = nn.Conv2d(len(BANDS), width, 7, stride=2, padding=3, bias=False)
    return net, features


def _vit(name: str, size: dict[str, int]) -> Any:  # torchvision has no types
    import torchvision

    patch = int(name.split("_")[-1])
    original = torchvision.models.get_model(name, weights=None, image_size=2 * patch)
    hidden, layers = original.hidden_dim, len(original.encoder.layers)
    heads, mlp = original.encoder.layers[0].num_heads, original.mlp_dim
    size = {"patch_size": patch} | size
    net = torchvision.models.VisionTransformer(
        num_layers=layers, num_heads=heads, hidden_dim=hidden, mlp_dim=mlp, **size
    )
    net.conv_proj = nn.Conv2d(len(BANDS), hidden, size["patch_size"], stride=size["patch_size"])
    return net


class Small(nn.Module):
    """Learned apertures: a convolution as large as the image's centre, for CPUs and few objects.

    A quasar is a point: what an image says of its redshift lies in fluxes. Each band has weight maps over the central
    pixels, which start as Gaussians of growing width on the object. Summed over the linear pixels they give fluxes in
    units of the sky noise, whose asinh is a magnitude: a photometry that learns. Small convolutions beside it, for the
    surroundings, did not help on a thousand objects.

    With `growth`, `curve_of_growth` stands beside the fluxes, scaled by itself. It says whether an object is extended. The
    fluxes say so, too, but they vary ten times more with its brightness, and a thousand objects do not show the difference.
    """

    def __init__(self, growth: bool) -> None:
        super().__init__()
        # By NumPy: on the device "meta", torch's arithmetic would first load its compiler, which takes a second.
        axis = np.arange(_CENTRE) - _CENTRE / 2
        r2 = axis[:, None] ** 2 + axis[None, :] ** 2
        maps = np.stack([np.exp(-r2 / 2 / sigma**2) for sigma in (1.0, 1.5, 2.2, 3.2, 5.0, 8.0)])
        maps /= np.sqrt((maps**2).sum((1, 2), keepdims=True))
        self.apertures = nn.Parameter(torch.tensor(np.tile(maps, (len(BANDS), 1, 1, 1)), dtype=torch.float32))
        self.growth = growth
        self.features = len(BANDS) * (len(maps) + (_WIDTHS - 1) * growth)
        self.normalise = nn.BatchNorm1d(self.features)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        edge = (IMAGE_SIZE - _CENTRE) // 2
        pixels = torch.sinh(image[:, :, edge : edge + _CENTRE, edge : edge + _CENTRE])
        measured = [torch.asinh(torch.einsum("nbyx,bkyx->nbk", pixels, self.apertures))]
        if self.growth:
            measured.append(curve_of_growth(pixels))
        return self.normalise(torch.cat([one.flatten(1) for one in measured], dim=1))


@torch.no_grad()  # nothing before it learns
def curve_of_growth(pixels: torch.Tensor) -> torch.Tensor:
    """How the flux of objects near the middle of images grows with the aperture, which tells a galaxy from a point.

    Apertures are round Gaussians about the object's centroid, so that turns and flips change nothing. Their fluxes are in
    units of the noise.

    Parameters
    ----------
    pixels
        Images [n, 5, y, y] in units of the noise of a pixel, 0 where masked.

    Returns
    -------
    torch.Tensor
        [n, 5, 5] differences of asinh flux from each width to the next, by band. Where objects are bright they are
        magnitudes, and do not depend on brightness; they are 0 of a band without pixels.
    """
    centre = _centroid(pixels)
    width = _WIDEST ** torch.linspace(0, 1, _WIDTHS, device=pixels.device)
    weights = (_gaussian(centre[:, axis, None], width[:, None], pixels.shape[-1]) for axis in (0, 1))
    rows, columns = (weight / weight.square().sum(2, keepdim=True).sqrt() for weight in weights)
    return torch.asinh(torch.einsum("nbyx,nky,nkx->nbk", pixels, rows, columns)).diff(dim=2)


def _centroid(pixels: torch.Tensor) -> torch.Tensor:
    """Row and column [n, 2] of the light in g, r and i, at most two pixels from the middle of the images."""
    light, size = pixels[:, 1:4].sum(1), pixels.shape[-1]
    axis, middle = torch.arange(size, device=pixels.device), (size - 1) / 2
    centre = pixels.new_full((len(pixels), 2), middle)
    for _ in range(4):
        rows, columns = (_gaussian(centre[:, one], pixels.new_tensor(2.0), size) for one in (0, 1))
        along = rows * torch.einsum("nyx,nx->ny", light, columns), columns * torch.einsum("nyx,ny->nx", light, rows)
        total = along[0].sum(1).clamp(min=1e-3)
        moved = [(one * (axis - centre[:, number, None])).sum(1) / total for number, one in enumerate(along)]
        centre = centre + 1.5 * torch.stack(moved, dim=1).clamp(-0.7, 0.7)  # the weight hides a third of the way
        centre = centre.clamp(middle - 2, middle + 2)
    return centre


def _gaussian(centre: torch.Tensor, width: torch.Tensor, size: int) -> torch.Tensor:
    """Gaussians [..., size] about each `centre`, 1 at most."""
    axis = torch.arange(size, device=centre.device)
    return torch.exp(-(((axis - centre[..., None]) / width) ** 2) / 2)


def stretched(units: torch.Tensor, mask: torch.Tensor, noise: list[float]) -> torch.Tensor:
    """asinh(pixel / noise) [n, 5, y, x] of images in store units, `noise` one per band; 0 where masked (mask [n, y, x] uint8)."""
    softening, bits = torch.tensor(noise), torch.tensor([1 << band for band in range(len(BANDS))], dtype=torch.uint8)
    softening, bits = (  # made on the device they would wait for it
        one.view(1, -1, 1, 1).to(units.device, non_blocking=True) for one in (softening, bits)
    )
    covered = (mask[:, None] & bits) == 0
    return torch.asinh(units.float() / softening) * covered
