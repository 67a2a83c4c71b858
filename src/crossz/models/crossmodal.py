"""The cross-modal adversarial network of Zhang et al. (2023), section 3, as docs/method.md reads it.

Two encoders turn photometry and image into features chi of R^512; two decoders turn each into the other's space; two
discriminators tell real from generated features and are trained against encoders and decoders through gradient
reversal; one head predicts the five extinctions from the image feature, one the redshift from a pair of features.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from crossz.core.constants import BANDS
from crossz.models import backbones
from crossz.models.linear import Linear, linear

CHI = 512
"""Length of every feature vector (eq. 3-5)."""
WIDTH = 64  # of the hidden layer of f_mlp in eq. 2
TOKEN = 3  # magnitude, log error, missing: the paper's m = 2 and an indicator


class Features(NamedTuple):
    """Features [n, 512]: encoded from data, and generated from the other modality's feature (eq. 3-5).

    A network of one modality has that modality's feature alone.
    """

    phot: torch.Tensor | None
    img: torch.Tensor | None
    phot_gen: torch.Tensor | None
    img_gen: torch.Tensor | None

    def named(self, name: str) -> torch.Tensor:
        """One of them. Raises ValueError where a network of one modality, or an object without its data, has none."""
        feature: torch.Tensor | None = getattr(self, name)
        if feature is None:
            raise ValueError(f"there is no feature {name}")
        return feature


class Beside(NamedTuple):
    """Objects that train beside a batch of the dataset, with what they have."""

    inputs: tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]
    """X_mag, X_colour and image; None where they have none."""
    z: torch.Tensor
    """[n] scaled targets; not read where there are no patterns."""
    extinction: torch.Tensor
    """[n, 5] scaled targets, NaN where unknown."""
    patterns: Sequence[str]
    """The input patterns that they train."""
    weight: float
    """Of their loss, beside 1 of the dataset's."""


PAIRS: dict[str, tuple[str | None, str | None]] = {
    "phot+img": ("phot", "img"),
    "phot_gen+img": ("phot_gen", "img"),
    "phot+img_gen": ("phot", "img_gen"),
    "phot_gen+img_gen": ("phot_gen", "img_gen"),
    "phot": ("phot", None),
    "img": (None, "img"),
}
"""Which feature stands for photometry and which for the image, by input pattern.

Those of Table 1, and those of networks of one modality (ablations), where zeros stand for the other feature.
"""


class SymmetricAttention(nn.Module):
    """Eq. 1: Gamma(X) = (W0 X)(W0 X)^T (W1 X), W0 and W1 acting on the bands, scaled by 1/sqrt(m) for stability.

    `softmax`: rows of the matrix of correlations are normalised by a softmax, as in the code that the authors released.
    """

    def __init__(self, bands: int, softmax: bool = False):
        super().__init__()
        self.softmax = softmax
        self.w0 = nn.Parameter(torch.normal(0.0, 1 / math.sqrt(bands), (bands, bands)))
        self.w1 = nn.Parameter(torch.normal(0.0, 1 / math.sqrt(bands), (bands, bands)))

    def correlation(self, x: torch.Tensor) -> torch.Tensor:
        """The symmetric matrix [n, bands, bands] of self-correlations of x [n, bands, m]."""
        embedded = self.w0 @ x
        return embedded @ embedded.transpose(1, 2) / math.sqrt(x.shape[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        matrix = self.correlation(x)
        return (matrix.softmax(2) if self.softmax else matrix) @ (self.w1 @ x)


class AttentionLayer(nn.Module):
    """Eq. 2: X_l = f_mlp(Gamma(X_{l-1})) in R^{n x m}, as a step away from X_{l-1}, which is added before and after f_mlp.

    Gamma is cubic in X, so it is normalised; without the sums, normalisation would leave brightness behind.
    """

    def __init__(self, softmax: bool):
        super().__init__()
        size = len(BANDS) * TOKEN
        self.attention = SymmetricAttention(len(BANDS), softmax)
        self.norm = nn.LayerNorm([len(BANDS), TOKEN])
        self.mlp = nn.Sequential(Linear(size, WIDTH), nn.SiLU(), Linear(WIDTH, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mlp((x + self.norm(self.attention(x))).flatten(1)).view(x.shape)


class PhotometryEncoder(nn.Module):
    """Eq. 1-3: (X_mag [n, 5, 3], X_colour [n, colours]) -> chi_phot [n, 512]."""

    def __init__(self, attention: str, layers: int, dropout: float, colours: int, hidden_layers: int):
        super().__init__()
        self.layers = nn.Sequential(*(AttentionLayer(attention == "softmax") for _ in range(layers)))
        self.fusion = mlp(len(BANDS) * TOKEN + colours, 256, CHI, dropout, hidden_layers)

    def forward(self, x_mag: torch.Tensor, x_colour: torch.Tensor) -> torch.Tensor:
        return F.silu(self.fusion(torch.cat([self.layers(x_mag).flatten(1), x_colour], dim=1)))


class ImageEncoder(nn.Module):
    """Eq. 4: image [n, 5, 64, 64] -> chi_img = sigma(f_mlp(f_CNN(image))) [n, 512]."""

    def __init__(self, backbone: str, stem: str, layers: int):
        super().__init__()
        self.cnn, features = backbones.build(backbone, stem)
        more = [module for _ in range(layers - 1) for module in (nn.SiLU(), Linear(CHI, CHI))]
        self.mlp = nn.Sequential(Linear(features, CHI), *more, nn.LayerNorm(CHI))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return F.silu(self.mlp(self.cnn(image)))


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * gradient, None


def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    """x itself, whose gradient comes back times -strength: what lies before it works against what lies behind."""
    return _Reversal.apply(x, strength)


def mlp(inputs: int, hidden: int, outputs: int, dropout: float, layers: int = 1) -> nn.Sequential:
    """`layers` hidden linear layers, each with normalisation, SiLU and dropout, and a linear one."""
    modules: list[nn.Module] = []
    for size in (inputs, *[hidden] * (layers - 1)):
        modules += [Linear(size, hidden), nn.LayerNorm(hidden), nn.SiLU(), nn.Dropout(dropout)]
    return nn.Sequential(*modules, Linear(hidden, outputs))


class CrossModal(nn.Module):
    """The whole network.

    Parameters
    ----------
    backbone, stem, image_mlp_layers, attention, attention_layers, hidden_layers, dropout, components
        As in the block `crossmodal` of the configuration; components 0: a point head.
    colours
        Length of X_colour (`features.colour_count`).
    classes
        How many classes its head tells apart; 0 of a head of redshifts.
    """

    def __init__(
        self,
        *,
        backbone: str,
        stem: str,
        attention: str,
        attention_layers: int,
        dropout: float,
        components: int,
        image_mlp_layers: int = 1,
        hidden_layers: int = 1,
        colours: int = len(BANDS) - 1,
        classes: int = 0,
    ):
        super().__init__()
        self.encode_phot = PhotometryEncoder(attention, attention_layers, dropout, colours, hidden_layers)
        self.encode_img = ImageEncoder(backbone, stem, image_mlp_layers)
        self.decode_phot = mlp(CHI, 256, CHI, dropout)  # G_photo of eq. 5: from chi_phot to an image feature
        self.decode_img = mlp(CHI, 256, CHI, dropout)  # G_img of eq. 5: from chi_img to a photometry feature
        self.discriminate_phot = mlp(CHI, 128, 2, dropout)  # D_1 of eq. 7: class 1 is real, class 0 generated
        self.discriminate_img = mlp(CHI, 128, 2, dropout)  # D_2 of eq. 7
        self.extinction = mlp(CHI, 128, len(BANDS), dropout)  # eq. 6, from chi_img
        # eq. 6, from (chi_img, chi_phot): a point, or the weights, means and sigmas of a mixture of Gaussians; or logits of classes
        self.redshift = mlp(2 * CHI, 256, classes or 3 * components or 1, dropout, hidden_layers)

    def features(
        self,
        x_mag: torch.Tensor | None,
        x_colour: torch.Tensor | None,
        image: torch.Tensor | None,
        generate: bool = False,
    ) -> Features:
        """The four features [n, 512] of n objects (eq. 3-5); of one modality alone where the other is None.

        With `generate` a feature that stands for the missing image or photometry is generated from the other one.
        """
        phot = None if x_mag is None else self.encode_phot(x_mag, x_colour)
        img = None if image is None else self.encode_img(image)
        both = phot is not None and img is not None
        phot_gen = F.silu(self.decode_img(img)) if both or (generate and img is not None) else None
        img_gen = F.silu(self.decode_phot(phot)) if both or (generate and phot is not None) else None
        return Features(phot, img, phot_gen, img_gen)

    def forward(
        self,
        x_mag: torch.Tensor | None,
        x_colour: torch.Tensor | None,
        image: torch.Tensor | None,
        z: torch.Tensor,
        extinction: torch.Tensor,
        also: Sequence[Beside] = (),
        **weights: Any,
    ) -> dict[str, torch.Tensor]:
        """The `objective` of n objects: the one call of a training step, which DistributedDataParallel needs.

        The losses of the objects `also` are added to the loss, and to nothing else.
        """
        terms = objective(self, self.features(x_mag, x_colour, image), z, extinction, **weights)
        for other in also:
            seen = self.features(*other.inputs, generate=None not in PAIRS[weights["patterns"][0]])
            more = objective(self, seen, other.z, other.extinction, **weights | {"patterns": other.patterns})
            terms["loss"] = terms["loss"] + other.weight * more["loss"]
        return terms

    def z(self, features: Features, inputs: str) -> torch.Tensor:
        """What the redshift head says of the pair of features that the input pattern names (eq. 6).

        Point head: [n, 1], the scaled target. Mixture head: [n, 3 K], see `mixture`. Classes: [n, c], their logits.
        """
        phot, img = (features.named(name) if name else None for name in PAIRS[inputs])
        if phot is not None and img is not None:
            return self.redshift(torch.cat([img, phot], dim=1))
        first: Any
        first, *rest = self.redshift  # zeros stand for the other feature: half of the products
        half = first.weight[:, :CHI] if phot is None else first.weight[:, CHI:]
        head = linear(features.named(PAIRS[inputs][0] or PAIRS[inputs][1] or ""), half, first.bias)
        for module in rest:
            head = module(head)
        return head


def mixture(head: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights, means and sigmas [n, K] of Gaussians in the scaled target, from the mixture head's output [n, 3 K].

    Sigma is at least 0.01: a narrower one says more than redshifts of spectra are good for.
    """
    logit, mean, width = head.float().chunk(3, dim=1)
    start = torch.linspace(-1, 1, mean.shape[1], device=head.device)  # apart, or all would learn the same
    return logit.softmax(1), mean + start, F.softplus(width) + 0.01


def mixture_crps(head: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean continuous ranked probability score of the mixtures at `target` [n]: proper, and robust against outliers.

    It is sum_i w_i A(y - mu_i, s_i) - sum_ij w_i w_j A(mu_i - mu_j, hypot(s_i, s_j)) / 2, where A(m, s) is the expected
    distance |X| of a Gaussian.

    References
    ----------
    Grimit et al. (2006), Q. J. R. Meteorol. Soc. 132, 2925.
    """
    weight, mean, sigma = mixture(head)

    def distance(m: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        t = m / s
        return m * torch.erf(t / math.sqrt(2)) + s * math.sqrt(2 / math.pi) * torch.exp(-(t**2) / 2)

    first = (weight * distance(target[:, None] - mean, sigma)).sum(1)
    apart = distance(mean[:, :, None] - mean[:, None, :], torch.hypot(sigma[:, :, None], sigma[:, None, :]))
    return (first - (weight[:, :, None] * weight[:, None, :] * apart).sum((1, 2)) / 2).mean()


def mixture_nll(head: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of `target` [n] under the mixtures, in nats. An outlier costs more than in the CRPS."""
    _, mean, sigma = mixture(head)
    log_weight = head.float().chunk(3, dim=1)[0].log_softmax(1)  # finite where the weight itself is 0
    u = (target[:, None] - mean) / sigma
    return -torch.logsumexp(log_weight - u * u / 2 - sigma.log() - math.log(2 * math.pi) / 2, dim=1).mean()


def redshift_loss(head: torch.Tensor, target: torch.Tensor, nll_weight: float = 0.0) -> torch.Tensor:
    """J_z: mean squared error of a point (eq. 10); cross-entropy where `target` [n] are labels (int64).

    Of a mixture CRPS + `nll_weight` times the negative log-likelihood.
    """
    if not target.is_floating_point():
        return F.cross_entropy(head, target)
    if head.shape[1] == 1:
        return F.mse_loss(head.squeeze(1), target)
    crps = mixture_crps(head, target)
    return crps + nll_weight * mixture_nll(head, target) if nll_weight else crps


def extinction_loss(estimated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """J_ext: mean squared error of extinctions [n, 5]; where `target` is NaN the error counts as 0."""
    return F.mse_loss(estimated, torch.where(target.isnan(), estimated.detach(), target))


def adversarial_loss(net: CrossModal, features: Features, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """J_adv (eq. 9, as cross-entropy with real = 1, generated = 0) and the discriminators' accuracy.

    Encoders and decoders get the reversed gradient. The printed eq. 9 lacks the minus sign, and its all-zeros targets
    give no gradient: docs/method.md.
    """
    pairs = [
        (net.discriminate_phot, features.named("phot"), features.named("phot_gen")),
        (net.discriminate_img, features.named("img"), features.named("img_gen")),
    ]
    losses, right = [], []
    for discriminator, real, generated in pairs:
        logits = discriminator(reverse_gradient(torch.cat([real, generated]), strength))
        truth = torch.arange(len(logits), device=logits.device).lt(len(real)).long()
        losses.append(2 * F.cross_entropy(logits, truth))  # the sum of the real and the generated term
        right.append((logits.argmax(1) == truth).float().mean())
    return torch.stack(losses).sum(), torch.stack(right).mean()


def objective(
    net: CrossModal,
    features: Features,
    z: torch.Tensor,
    extinction: torch.Tensor,
    *,
    patterns: Sequence[str],
    alpha: float,
    beta: float,
    pair_weight: float,
    nll_weight: float = 0.0,
    reversal: float,
) -> dict[str, torch.Tensor]:
    """J = alpha J_adv + beta J_ext + (1 - alpha - beta) J_z (eq. 8), and its parts.

    A network of one modality has nothing to generate, one without images no extinction to learn: those parts are left out.

    Parameters
    ----------
    net, features
        The network and the features [n, 512] that it made.
    z
        [n] scaled targets, or labels of classes (int64).
    extinction
        [n, 5] scaled targets, NaN where unknown.
    patterns
        The input patterns that are trained: J_z is the mean over them. None of objects without a redshift.
    alpha, beta
        Weights of the adversarial and of the extinction loss.
    pair_weight
        Weight of the squared distance of a generated feature from its object's real one; 0 as printed.
    nll_weight
        Weight of the negative log-likelihood in the loss of a mixture.
    reversal
        Strength of the gradient reversal.

    Returns
    -------
    dict
        loss, redshift or classes (J_z), extinction (J_ext), adversarial (J_adv), accuracy (of the discriminators).
    """
    terms = {"loss": torch.zeros((), device=z.device)}
    if patterns:
        heads = torch.cat([net.z(features, inputs) for inputs in patterns])  # one loss of all: a quarter of the kernels
        j_z = redshift_loss(heads, z.repeat(len(patterns)), nll_weight)
        terms = {"loss": (1 - alpha - beta) * j_z, "redshift" if z.is_floating_point() else "classes": j_z}
    if features.img is not None:
        terms["extinction"] = extinction_loss(net.extinction(features.img), extinction)
        terms["loss"] = terms["loss"] + beta * terms["extinction"]
    if features.phot is not None and features.img is not None:
        terms["adversarial"], terms["accuracy"] = adversarial_loss(net, features, reversal)
        terms["loss"] = terms["loss"] + alpha * terms["adversarial"]
        if pair_weight:
            phot = F.mse_loss(features.named("phot_gen"), features.named("phot").detach())
            img = F.mse_loss(features.named("img_gen"), features.named("img").detach())
            terms["loss"] = terms["loss"] + pair_weight * (phot + img)
    return terms
