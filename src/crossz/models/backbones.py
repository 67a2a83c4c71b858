"""Image backbones: any torchvision ResNet, ConvNeXt or ViT by name with five input bands, and learned apertures for CPUs."""

from typing import Any

import numpy as np
import torch
from torch import nn

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError

IMAGE_SIZE = 64
_CENTRE = 32  # pixels: edge of what the small backbone sees, 13 arcsec


def build(name: str, stem: str) -> tuple[nn.Module, int]:
    """A network from images [n, 5, 64, 64] to features [n, f], with random weights: the paper trains from scratch.

    Parameters
    ----------
    name
        "small", or the name of a torchvision ResNet, ConvNeXt or ViT.
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
    if name == "small":
        apertures = Small()
        return apertures, apertures.features
    import torchvision  # half of this package's import time, and not needed above

    families = ("resnet", "resnext", "wide_resnet", "convnext", "vit")
    if not name.startswith(families) or name not in torchvision.models.list_models(torchvision.models):
        raise CrosszError(f"crossmodal.backbone: {name!r} is neither 'small' nor a torchvision ResNet, ConvNeXt or ViT")
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
    """

    def __init__(self) -> None:
        super().__init__()
        # By NumPy: on the device "meta", torch's arithmetic would first load its compiler, which takes a second.
        axis = np.arange(_CENTRE) - _CENTRE / 2
        r2 = axis[:, None] ** 2 + axis[None, :] ** 2
        maps = np.stack([np.exp(-r2 / 2 / sigma**2) for sigma in (1.0, 1.5, 2.2, 3.2, 5.0, 8.0)])
        maps /= np.sqrt((maps**2).sum((1, 2), keepdims=True))
        self.apertures = nn.Parameter(torch.tensor(np.tile(maps, (len(BANDS), 1, 1, 1)), dtype=torch.float32))
        self.features = len(BANDS) * len(maps)
        self.normalise = nn.BatchNorm1d(self.features)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        edge = (IMAGE_SIZE - _CENTRE) // 2
        pixels = torch.sinh(image[:, :, edge : edge + _CENTRE, edge : edge + _CENTRE])
        flux = torch.einsum("nbyx,bkyx->nbk", pixels, self.apertures)
        return self.normalise(torch.asinh(flux).flatten(1))


def stretched(units: torch.Tensor, mask: torch.Tensor, noise: list[float]) -> torch.Tensor:
    """asinh(pixel / noise) [n, 5, y, x] of images in store units, `noise` one per band; 0 where masked (mask [n, y, x] uint8)."""
    softening, bits = torch.tensor(noise), torch.tensor([1 << band for band in range(len(BANDS))], dtype=torch.uint8)
    softening, bits = (  # made on the device they would wait for it
        one.view(1, -1, 1, 1).to(units.device, non_blocking=True) for one in (softening, bits)
    )
    covered = (mask[:, None] & bits) == 0
    return torch.asinh(units.float() / softening) * covered
