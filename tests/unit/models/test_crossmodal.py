"""The network against the paper's equations."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from crossz.core.errors import CrosszError
from crossz.core.names import PATTERNS
from crossz.models import backbones
from crossz.models.crossmodal import (
    PAIRS,
    CrossModal,
    Features,
    SymmetricAttention,
    adversarial_loss,
    mixture,
    mixture_crps,
    mixture_nll,
    objective,
    redshift_loss,
    reverse_gradient,
)

ALL = list(PATTERNS)
WEIGHTS = {"alpha": 0.2, "beta": 0.1, "pair_weight": 0.0, "reversal": 1.0}


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield CrossModal(
            backbone="small", stem="small", attention="symmetric", attention_layers=2, dropout=0.0, components=0
        )


def batch(n=12, seed=2):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"x_mag": (n, 5, 3), "x_colour": (n, 4), "image": (n, 5, 64, 64)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def targets(n=12):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(n, generator=generator), torch.randn(n, 5, generator=generator)


def test_eq1_is_as_printed_and_its_matrix_symmetric():
    attention, x = SymmetricAttention(5), torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0))
    correlation = attention.correlation(x)
    torch.testing.assert_close(correlation, correlation.transpose(1, 2))
    assert torch.linalg.eigvalsh(correlation).min() > -1e-4  # of the form A A^T
    w0, w1 = attention.w0.detach().numpy(), attention.w1.detach().numpy()
    for one, out in zip(x.numpy(), attention(x).detach().numpy(), strict=True):
        np.testing.assert_allclose(out, w0 @ one @ one.T @ w0.T @ (w1 @ one) / np.sqrt(3), rtol=2e-4, atol=2e-5)


def test_the_softmax_form_of_eq1_weighs_bands_by_rows_that_sum_to_1():
    attention, x = SymmetricAttention(5, softmax=True), torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0))
    w0, w1 = attention.w0.detach().numpy(), attention.w1.detach().numpy()
    for one, out in zip(x.numpy(), attention(x).detach().numpy(), strict=True):
        weight = np.exp(w0 @ one @ one.T @ w0.T / np.sqrt(3))
        np.testing.assert_allclose(out, weight / weight.sum(1, keepdims=True) @ (w1 @ one), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("alone", ["phot", "img"])
def test_a_network_of_one_modality_trains_its_own_parts_and_needs_nothing_else(net, alone):
    given = batch() | ({"image": None} if alone == "phot" else {"x_mag": None, "x_colour": None})
    features = net.features(**given)
    assert net.z(features, alone).shape == (12, 1)
    terms = objective(net, features, *targets(), patterns=[alone], **WEIGHTS)
    expected = 0.7 * terms["redshift"] + (0.1 * terms["extinction"] if alone == "img" else 0)
    torch.testing.assert_close(terms["loss"], expected)
    terms["loss"].backward()
    trained = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert trained == ({"encode_phot", "redshift"} if alone == "phot" else {"encode_img", "extinction", "redshift"})


def test_every_feature_has_512_numbers_and_every_pattern_gives_one_redshift(net):
    features = net.features(**batch())
    assert [tuple(chi.shape) for chi in features] == [(12, 512)] * 4
    assert {inputs: tuple(net.z(features, inputs).shape) for inputs in PAIRS} == dict.fromkeys(PAIRS, (12, 1))
    assert net.extinction(features.img).shape == (12, 5)


def test_a_pattern_uses_the_two_features_it_names_and_no_other(net):
    assert {inputs: "+".join(filter(None, used)) for inputs, used in PAIRS.items()} == {
        inputs: inputs for inputs in PAIRS
    }
    net.eval()
    features = net.features(**batch())
    for inputs, used in PAIRS.items():
        for name in Features._fields:
            other = features._replace(**{name: torch.randn_like(getattr(features, name))})
            changed = not torch.equal(net.z(features, inputs), net.z(other, inputs))
            assert changed == (name in used), (inputs, name)


def test_generated_features_come_from_the_other_modality_alone(net):
    net.eval()
    given, other = batch(), batch(seed=9)
    ours, image_changed = net.features(**given), net.features(**given | {"image": other["image"]})
    assert torch.equal(ours.img_gen, image_changed.img_gen)
    assert not torch.equal(ours.phot_gen, image_changed.phot_gen)
    photometry_changed = net.features(**given | {"x_mag": other["x_mag"]})
    assert torch.equal(ours.phot_gen, photometry_changed.phot_gen)
    assert not torch.equal(ours.img_gen, photometry_changed.img_gen)


def test_reversal_passes_values_and_turns_the_gradient_round():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse_gradient(x, 0.25)
    torch.testing.assert_close(y, x)
    (y * torch.tensor([3.0, 5.0])).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([-0.75, -1.25]))


def gradients(net, strength):
    net.zero_grad()
    features = net.features(**batch())
    adversarial_loss(net, features, strength)[0].backward()
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def test_encoders_and_decoders_work_against_the_discriminators(net):
    net.eval()
    against, with_them = gradients(net, 0.5), gradients(net, -1.0)
    assert {name.split(".")[0] for name in against} == {
        "encode_phot", "encode_img", "decode_phot", "decode_img", "discriminate_phot", "discriminate_img",
    }  # fmt: skip
    for name, gradient in against.items():
        factor = 1.0 if name.startswith("discriminate") else -0.5
        torch.testing.assert_close(gradient, factor * with_them[name], rtol=1e-3, atol=1e-6)


def test_eq9_is_the_cross_entropy_of_four_terms_real_1_generated_0(net):
    net.eval()
    features = net.features(**batch())
    terms = [
        -F.softmax(discriminator(chi), dim=1)[:, truth].log().mean()
        for discriminator, chi, truth in (
            (net.discriminate_phot, features.phot, 1),
            (net.discriminate_phot, features.phot_gen, 0),
            (net.discriminate_img, features.img, 1),
            (net.discriminate_img, features.img_gen, 0),
        )
    ]
    torch.testing.assert_close(adversarial_loss(net, features, 1.0)[0], sum(terms))


def test_eq9_as_printed_cannot_tell_real_from_generated():
    """H(y|p) = sum y log p over the two softmax outputs, y all ones for real and all zeros for generated features."""

    def printed(logits, y):
        return (y * F.log_softmax(logits, dim=1)).sum()

    logits = torch.tensor([[0.3, -1.2], [2.0, 0.1]], requires_grad=True)
    printed(logits, torch.zeros(2, 2)).backward()
    assert (logits.grad == 0).all()  # generated features teach nothing
    swapped = printed(logits.detach().flip(1), torch.ones(2, 2))
    torch.testing.assert_close(
        printed(logits.detach(), torch.ones(2, 2)), swapped
    )  # real: both answers are worth the same


def test_eq8_weighs_the_three_losses(net):
    net.eval()
    features, (z, extinction) = net.features(**batch()), targets()
    terms = objective(net, features, z, extinction, patterns=ALL, **WEIGHTS)
    j_z = np.mean([F.mse_loss(net.z(features, inputs).squeeze(1), z).item() for inputs in ALL])
    j_ext = F.mse_loss(net.extinction(features.img), extinction).item()
    assert terms["redshift"].item() == pytest.approx(j_z, rel=1e-5)
    assert terms["extinction"].item() == pytest.approx(j_ext, rel=1e-5)
    expected = 0.2 * adversarial_loss(net, features, 1.0)[0].item() + 0.1 * j_ext + 0.7 * j_z
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)
    paired = objective(net, features, z, extinction, patterns=ALL, **WEIGHTS | {"pair_weight": 0.5})
    distance = F.mse_loss(features.phot_gen, features.phot) + F.mse_loss(features.img_gen, features.img)
    assert (paired["loss"] - terms["loss"]).item() == pytest.approx(0.5 * distance.item(), rel=1e-3)


def test_gradients_reach_every_parameter(net):
    objective(net, net.features(**batch()), *targets(), patterns=ALL, **WEIGHTS)["loss"].backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_without_the_adversary_the_printed_eq6_never_trains_the_decoders(net):
    weights = WEIGHTS | {"alpha": 0.0}
    objective(net, net.features(**batch()), *targets(), patterns=["phot+img"], **weights)["loss"].backward()
    trained = [name for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert not any(name.startswith("decode") for name in trained)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("growth", "small"), ("small", "small"), ("resnet18", "small"), ("resnet18", "imagenet"), ("convnext_tiny", "small"), ("vit_b_32", "small"), ("vit_b_32", "imagenet")],
)  # fmt: skip
def test_backbones_take_five_bands_and_say_how_many_features_they_give(name, stem):
    backbone, features = backbones.build(name, stem)
    with torch.no_grad():
        assert backbone.eval()(torch.zeros(2, 5, 64, 64)).shape == (2, features)


def gaussians(width, flux, places):
    """Images [n, 5, 32, 32] of round Gaussians at `places` [n, 2]."""
    axis = torch.arange(32.0)
    rows, columns = (torch.exp(-((axis - places[:, one, None]) ** 2) / 2 / width**2) for one in (0, 1))
    image = flux / (2 * torch.pi * width**2) * rows[:, :, None] * columns[:, None, :]
    return image[:, None].expand(-1, 5, -1, -1)


@pytest.mark.parametrize("flux", [1e4, 1e6])
@pytest.mark.parametrize("width", [1.5, 2.5])
def test_the_curve_of_growth_of_a_gaussian_is_its_formula_wherever_it_lies(width, flux):
    places = torch.tensor([[15.5, 15.5], [16.3, 15.6], [14.6, 16.9]])
    found = backbones.curve_of_growth(gaussians(width, flux, places))
    aperture = 8 ** torch.linspace(0, 1, 6)
    expected = torch.log(aperture / (aperture**2 + width**2)).diff().expand_as(found)
    torch.testing.assert_close(found[..., :4], expected[..., :4], atol=2e-3, rtol=0)
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=0)  # the image ends two of its widths from the widest


def test_turns_and_flips_and_other_bands_do_not_change_a_curve_of_growth():
    generator = torch.Generator().manual_seed(1)
    pixels = gaussians(1.6, 300.0, 15 + torch.rand(16, 2, generator=generator))
    pixels = pixels + torch.randn(pixels.shape, generator=generator)
    found = backbones.curve_of_growth(pixels)
    assert found.std() > 0.05
    for turned in (pixels.flip(2), pixels.flip(3), pixels.transpose(2, 3), pixels.rot90(1, (2, 3))):
        torch.testing.assert_close(backbones.curve_of_growth(turned), found, atol=1e-4, rtol=0)
    hidden = pixels.clone()
    hidden[:, [0, 4]] = 0
    torch.testing.assert_close(backbones.curve_of_growth(hidden)[:, 1:4], found[:, 1:4], atol=1e-4, rtol=0)


def test_a_curve_of_growth_is_finite_where_there_is_no_light_and_0_where_there_are_no_pixels():
    noise = torch.randn(8, 5, 32, 32, generator=torch.Generator().manual_seed(2))
    noise[:, 2] = 0
    for pixels in (noise, -100 * noise.abs(), 0 * noise, 1e6 * noise):
        found = backbones.curve_of_growth(pixels)
        assert found.isfinite().all()
        assert (found[:, 2] == 0).all()


def test_a_small_network_has_the_weights_of_older_bundles_and_growth_only_adds_features():
    nets = {name: backbones.build(name, "small")[0].eval() for name in ("small", "growth")}
    shapes = {name: {key: tuple(value.shape) for key, value in net.state_dict().items()} for name, net in nets.items()}
    assert shapes["small"]["apertures"] == (5, 6, 32, 32)
    assert shapes["small"]["normalise.weight"] == (30,)
    assert shapes["growth"].keys() == shapes["small"].keys()
    with torch.no_grad():
        image = batch()["image"]
        torch.testing.assert_close(nets["growth"](image)[:, :30], nets["small"](image))


def test_the_small_stem_keeps_the_resolution_of_a_small_image():
    sizes = {}
    for stem in ("small", "imagenet"):
        net, _ = backbones.build("resnet18", stem)
        net.layer1.register_forward_hook(lambda _m, _i, out, stem=stem: sizes.__setitem__(stem, out.shape[-1]))
        with torch.no_grad():
            net.eval()(torch.zeros(1, 5, 64, 64))
    assert sizes == {"small": 64, "imagenet": 16}


@pytest.mark.parametrize("name", ["resnet1001", "alexnet", "Small"])
def test_an_unknown_backbone_is_refused_by_name(name):
    with pytest.raises(CrosszError, match=name):
        backbones.build(name, "small")


def test_the_stretch_is_asinh_of_noise_units_and_zero_where_masked():
    units = torch.tensor([-1.0, 0.0, 3.0, 500.0]).half().view(1, 1, 2, 2).expand(1, 5, 2, 2)
    mask = torch.tensor([[0, 0], [0, 0b10001]], dtype=torch.uint8)[None]
    noise = [0.5, 1.0, 2.0, 4.0, 8.0]
    out = backbones.stretched(units, mask, noise)
    expected = torch.asinh(units.float() / torch.tensor(noise).view(1, 5, 1, 1))
    expected[:, [0, 4], 1, 1] = 0
    torch.testing.assert_close(out, expected)


def test_the_likelihood_of_a_mixture_is_that_of_torch_and_stands_beside_the_crps():
    generator = torch.Generator().manual_seed(5)
    head, target = 3 * torch.randn(40, 12, generator=generator), torch.randn(40, generator=generator)
    weight, mean, sigma = mixture(head)
    components = torch.distributions.Normal(mean, sigma)
    reference = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(weight), components)
    torch.testing.assert_close(mixture_nll(head, target), -reference.log_prob(target).mean())
    both = mixture_crps(head, target) + 0.3 * mixture_nll(head, target)
    torch.testing.assert_close(redshift_loss(head, target, 0.3), both)
    torch.testing.assert_close(redshift_loss(head, target), mixture_crps(head, target))


def test_the_likelihood_of_a_component_without_weight_has_a_finite_gradient():
    head = torch.tensor([[200.0, -200.0, 0.0, 1.0, -5.0, -5.0]], requires_grad=True)
    mixture_nll(head, torch.tensor([30.0])).backward()
    assert torch.isfinite(head.grad).all()
