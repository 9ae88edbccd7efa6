"""Quantization: every weight bit-equal to a representative, zeros kept, honest about rounding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import parsimo as ps
from parsimo.neural import load, prune, quantize, train
from parsimo.neural.structures import FixedCodes

LOSS = nn.functional.cross_entropy
QUICK = {"epochs": 6, "steps_per_update": 3}


def distinct(layer):
    return torch.unique(layer.weight.detach()).numel()


@pytest.mark.parametrize("distance", ["absolute", "squared"])
@pytest.mark.parametrize("k", [2, 3, 8])
def test_each_layer_has_at_most_k_values(network, loader, distance, k):
    outcome = quantize(network, loader, LOSS, k=k, distance=distance, **QUICK)
    assert distinct(network[0]) <= k
    assert distinct(network[2]) <= k
    assert outcome.distinct_values == max(distinct(network[0]), distinct(network[2]))
    assert torch.unique(network[0].bias.detach()).numel() > k  # biases are free


def test_absolute_distance_quantizes_exactly_before_anything_is_rounded(network, loader):
    outcome = quantize(network, loader, LOSS, k=4, distance="absolute", **QUICK)
    largest = [d for d in outcome.history["largest distance"] if not math.isnan(d)]
    assert largest[0] > 0
    assert largest[-1] == 0
    assert any(note.startswith("exactly quantized") for note in outcome.notes)


def test_squared_distance_says_that_it_rounds(network, loader):
    outcome = quantize(network, loader, LOSS, k=4, distance="squared", **QUICK)
    assert any(note.startswith("rounded") for note in outcome.notes)


def test_quantization_after_training_costs_little(network, loader, data):
    train(network, loader, LOSS, epochs=60, learning_rate=2e-2, steps_per_report=6)
    before = float((network(data[0]).argmax(1) != data[1]).double().mean())
    quantize(network, loader, LOSS, k=8, epochs=40, steps_per_update=6, learning_rate=5e-3)
    after = float((network(data[0]).argmax(1) != data[1]).double().mean())
    assert after <= before + 0.05


def test_zeros_of_a_pruned_network_stay_and_count_as_a_value(network, loader):
    prune(network, loader, LOSS, target_sparsity=0.7, steps_per_update=3, epochs=6)
    zeros = [network[i].weight.detach() == 0 for i in (0, 2)]
    outcome = quantize(network, loader, LOSS, k=4, **QUICK)
    for i, zero in zip((0, 2), zeros, strict=True):
        weight = network[i].weight.detach()
        assert bool((weight[zero] == 0).all())
        assert torch.unique(weight).numel() <= 4
    assert outcome.nonzeros <= round(0.3 * outcome.weights)


def test_certificate_is_the_tied_gradient(network, loader, data):
    # with exact quantization and a large weight, what remains is the sum of gradients over each cluster
    outcome = quantize(network, loader, LOSS, k=3, **QUICK)
    from parsimo.neural import TorchSmooth

    f = TorchSmooth(network, [data], LOSS)
    x, gradient = f.start(), f.grad(f.start())
    squares = float((gradient[f.mask == 0] ** 2).sum())
    for block in f.view.blocks.values():
        for value in torch.unique(x[block]):
            members = gradient[block][x[block] == value]
            squares += float(members.sum()) ** 2 / members.numel()  # distance from {s : sum s = 0}
    assert outcome.certificate == pytest.approx(math.sqrt(squares), rel=1e-3)


def test_fixed_codes_tie_gradients_and_values():
    codes = torch.tensor([0, 1, 0, 1])
    structure = FixedCodes([slice(0, 4)], [codes], torch.zeros(5, dtype=torch.bool))
    gradient = torch.tensor([1.0, 2.0, 3.0, 6.0, 7.0])
    structure.before_step(gradient)
    assert gradient.tolist() == [2.0, 4.0, 2.0, 4.0, 7.0]
    x = torch.tensor([0.1, 0.2, 0.1 + 1e-8, 0.2, 9.0])
    structure.after_step(x, 0.1)
    assert x[0] == x[2]
    assert x[1] == x[3]
    assert x[4] == 9


def test_saved_network_predicts_bit_for_bit_and_is_small(network, loader, data, tmp_path):
    outcome = quantize(network, loader, LOSS, k=4, **QUICK)
    outcome.save(tmp_path / "model.parsimo")
    fresh = nn.Sequential(nn.Linear(12, 16), nn.Sigmoid(), nn.Linear(16, 2))
    assert torch.equal(load(tmp_path / "model.parsimo", into=fresh)(data[0]), network(data[0]))


def test_nan_loss_keeps_finite_parameters(network, loader):
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        return LOSS(outputs, targets) * (math.nan if len(calls) > 20 else 1.0)

    outcome = quantize(network, loader, loss, k=3, **QUICK)
    assert outcome.status is ps.Status.NONFINITE
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"k": 1}, ValueError, "k must be at least 2"),
        ({"k": 40}, ValueError, r"k = 40, but 2.weight has only 32 distinct values"),
        ({"distance": "cubic"}, ValueError, "distance must be"),
        ({"epochs": -1}, ValueError, "epochs > 0"),
        ({"sigma": (0.0, 1.0)}, ValueError, "rising pair"),
        ({"coupled_share": 2.0}, ValueError, "coupled_share"),
    ],
)
def test_bad_arguments(network, loader, change, error, words):
    with pytest.raises(error, match=words):
        quantize(network, loader, LOSS, **(QUICK | change))
