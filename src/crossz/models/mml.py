"""The networks of PhotoRedshift-MML, the baseline of the paper's Table 1.

References
----------
Hong et al. (2023), MNRAS 518, 5049.
"""

import itertools

import torch
from torch import nn

FEATURES = 128
"""Length of the spectral feature."""
PHOTOMETRIC = 15
"""Photometric inputs: 5 magnitudes, u-g, g-r, r-i, i-z, u-z, 5 errors."""
POOL = 8
"""Pixels of the common grid that are averaged into one before network A: 550 km/s, a tenth of a quasar's broad line."""
STEP = 1e-4
"""Width of a pixel of the common grid in log10 of the wavelength, as in sdss.spectra, which needs astropy."""
_WIDTH = 16
_DILATIONS = (1, 2, 4, 8)


class ChannelAttention(nn.Module):
    """Each channel of [n, c, p] times a weight from 0 to 1 that depends on the means of all channels.

    References
    ----------
    Hu, Shen & Sun (2018), CVPR, section 3: squeeze and excitation.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(channels, channels // 4), nn.ReLU(), nn.Linear(channels // 4, channels), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weigh(x.mean(2)).unsqueeze(2)


class SpectrumNet(nn.Module):
    """Network A: from a spectrum [n, 2, p] (flux, share of good pixels) to its feature [n, 128] and a redshift [n].

    Dilated convolutions, each with channel attention and a residual connection, see the spectrum from end to end. Their
    output is flattened and not averaged, because the place of a line is the redshift.
    """

    def __init__(self, pixels: int, dropout: float = 0.1):
        super().__init__()
        self.stem = nn.Conv1d(2, _WIDTH, 7, stride=2, padding=3)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, _WIDTH),
                nn.ReLU(),
                nn.Conv1d(_WIDTH, _WIDTH, 5, padding=2 * dilation, dilation=dilation),
                ChannelAttention(_WIDTH),
            )
            for dilation in _DILATIONS
        )
        left = ((pixels + 1) // 2) // 3
        self.feature = nn.Sequential(
            nn.AvgPool1d(3), nn.Flatten(), nn.Dropout(dropout), nn.Linear(_WIDTH * left, FEATURES)
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 1))

    def features(self, spectrum: torch.Tensor) -> torch.Tensor:
        """The spectral features [n, 128]."""
        x = self.stem(spectrum)
        for block in self.blocks:
            x = x + block(x)
        return self.feature(x)

    def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(spectrum)).squeeze(1)


def generator() -> nn.Sequential:
    """Network B: from photometry [n, 15] to the spectral feature [n, 128], through 8, 16, 32 and 64 units."""
    return _dense(PHOTOMETRIC, 8, 16, 32, 64, FEATURES)


def regressor(inputs: int) -> nn.Sequential:
    """Network C, and the network of photometry alone: from [n, inputs] to a redshift [n], through 32 and 16 units."""
    return nn.Sequential(_dense(inputs, 32, 16, 1), nn.Flatten(0))


def _dense(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for narrow, wide in itertools.pairwise(sizes):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def log_cosh(estimate: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of log cosh(estimate - target): quadratic near 0, linear far off."""
    error = estimate - target
    return (error + nn.functional.softplus(-2 * error)).mean() - torch.log(torch.tensor(2.0, device=error.device))
