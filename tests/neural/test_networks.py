"""The reference networks: their sizes, their initial weights, and that each of them learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from parsimo.neural.networks import ACTIVATIONS, NETWORKS, build

MNIST, CIFAR10 = (1, 28, 28), (3, 32, 32)


def weights(network: nn.Module) -> int:
    """Number of entries in kernels and matrices, biases and normalization left out."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.ndim > 1)


@pytest.mark.parametrize(
    ("name", "input_shape", "expected"),
    [
        ("mlp", (1, 8, 8), 4_736),
        ("lenet300", MNIST, 266_200),
        ("lenet5", MNIST, 430_500),
        ("lenet5", CIFAR10, 1_500 + 25_000 + 5 * 5 * 50 * 500 + 5_000),
        ("convnet", CIFAR10, 287_840),
    ],
)
def test_number_of_weights(name: str, input_shape: tuple[int, int, int], expected: int) -> None:
    assert weights(build(name, input_shape, 10)) == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("input_shape", [(1, 16, 16), (2, 17, 30), CIFAR10])
@pytest.mark.parametrize("name", NETWORKS)
def test_one_logit_a_class(name: str, input_shape: tuple[int, int, int], activation: str) -> None:
    network = build(name, input_shape, 7, activation)
    assert network(torch.zeros(4, *input_shape)).shape == (4, 7)
    kinds = {type(module) for module in network.modules()} & set(ACTIVATIONS.values())
    assert kinds == {ACTIVATIONS[activation]}


@pytest.mark.parametrize(("name", "least"), [("lenet5", 16), ("convnet", 4)])
def test_least_image(name: str, least: int) -> None:
    assert build(name, (1, least, least), 2)(torch.zeros(2, 1, least, least)).shape == (2, 2)
    for height, width in ((least - 1, 40), (40, least - 1)):
        with pytest.raises(ValueError, match=f"{name} needs .* at least {least} x {least}, got {height}"):
            build(name, (1, height, width), 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_seed_repeats_the_weights(name: str) -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(name, CIFAR10, 10).parameters())

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


def test_sigmoid_starts_from_glorot_and_relu_from_torch() -> None:
    torch.manual_seed(0)
    sigmoid, relu = (build("lenet300", MNIST, 10, activation).fc1 for activation in ("sigmoid", "relu"))
    assert sigmoid.weight.std().item() == pytest.approx((2 / (784 + 300)) ** 0.5, rel=0.02)
    assert relu.weight.std().item() == pytest.approx((1 / (3 * 784)) ** 0.5, rel=0.02)
    assert not sigmoid.bias.any()
    assert relu.bias.any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_network_learns(name: str, activation: str) -> None:
    torch.manual_seed(0)
    targets = torch.arange(32) % 2
    inputs = torch.randn(32, 1, 16, 16) + targets.reshape(-1, 1, 1, 1)
    network = build(name, (1, 16, 16), 2, activation)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet", MNIST, 10), "unknown network 'lenet', expected one of mlp, lenet300, lenet5, convnet"),
        (("mlp", MNIST, 10, "tanh"), "unknown activation 'tanh', expected one of sigmoid, relu"),
        (("mlp", (28, 28), 10), r"input_shape is \(28, 28\)"),
        (("mlp", (0, 28, 28), 10), r"input_shape is \(0, 28, 28\)"),
        (("mlp", MNIST, 1), "classes is 1"),
    ],
)
def test_bad_arguments(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(*arguments)
