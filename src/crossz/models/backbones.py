"""Image backbones: any torchvision ResNet, ConvNeXt or ViT by name with five input bands, and a small CNN for CPUs."""

import torch
import torchvision
from torch import nn

from crossz import BANDS
from crossz.errors import CrosszError

IMAGE_SIZE = 64


def build(name: str, stem: str) -> tuple[nn.Module, int]:
    """A network from [n, 5, 64, 64] to features, and the number of features.

    `stem`: "small" keeps resolution that a 64-pixel image cannot spare (ResNet: 3x3 stride-1 convolution and no
    max-pooling; ConvNeXt and ViT: patches of 2 and 8 pixels); "imagenet" is the published stem. Weights are random: the
    paper trains from scratch. Raises CrosszError for an unknown name.
    """
    if name == "small":
        return _small()
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


def _vit(name: str, size: dict[str, int]) -> nn.Module:
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


def _small() -> tuple[nn.Module, int]:
    # For CPUs: 4x4 patches first, since full-resolution maps are where a CPU's time goes (12 times this network's); the
    # last maps keep their places apart, as the object sits in the centre and its surroundings do not.
    def block(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

    layers = block(len(BANDS), 24, 4, 4, 0) + block(24, 48, 3, 2, 1) + block(48, 64, 3, 2, 1)
    return nn.Sequential(*layers, nn.Flatten()), 64 * (IMAGE_SIZE // 16) ** 2


def stretched(units: torch.Tensor, mask: torch.Tensor, stretch: dict[str, list]) -> torch.Tensor:
    """Images [n, 5, 64, 64] in store units -> asinh(pixel / noise) / scale per band, 0 where masked (mask [n, 64, 64] uint8)."""
    noise, scale = (torch.tensor(stretch[key], device=units.device).view(1, -1, 1, 1) for key in ("noise", "scale"))
    bits = torch.tensor([1 << band for band in range(len(BANDS))], dtype=torch.uint8, device=mask.device)
    covered = (mask[:, None] & bits.view(1, -1, 1, 1)) == 0
    return torch.asinh(units.float() / noise) / scale * covered
