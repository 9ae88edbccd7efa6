"""The Lipschitz constants of a network's loss on the ball of its minimizers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from parsimo.neural import TorchSmooth, on_ball
from parsimo.problems import LeastSquares, ZeroNormProblem, phi


def data(*shape: int, classes: int = 3, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(8, *shape, generator=generator, dtype=torch.float64)
    targets = torch.randint(classes, (8,), generator=generator)
    return [(inputs[:5], targets[:5]), (inputs[5:], targets[5:])]


def dense(units: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), units(), nn.Linear(6, 5), units(), nn.Linear(5, 3)).double()


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2, stride=1),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(4, 3),
    ).double()


NETWORKS = {
    "one layer": (lambda: nn.Sequential(nn.Linear(4, 3)).double(), (4,)),
    "sigmoid": (lambda: dense(nn.Sigmoid), (4,)),
    "tanh": (lambda: dense(nn.Tanh), (4,)),
    "relu": (lambda: dense(nn.ReLU), (4,)),
    "convolutions": (convolutional, (2, 8, 8)),
}


def smooth(name: str, weight_decay: float = 0.5) -> TorchSmooth:
    make, shape = NETWORKS[name]
    return TorchSmooth(make(), data(*shape), functional.cross_entropy, weight_decay=weight_decay)


def steep_points(f: TorchSmooth, radius: float, i: int, seed: int) -> list[torch.Tensor]:
    """Points of the ball, random ones and ones driven towards a steep derivative along coordinate i."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(f.start().shape, generator=generator, dtype=torch.float64)
    x *= radius / x.norm()
    points = [x]
    for _ in range(6):  # ascent of |loss derivative| by differences along random directions, kept in the ball
        trials = x + 0.5 * radius * torch.randn(16, x.numel(), generator=generator, dtype=torch.float64) / math.sqrt(
            x.numel()
        )
        trials *= radius / trials.norm(dim=1, keepdim=True)
        slopes = [abs(float(f.grad(t)[i] - f.weight_decay * t[i])) for t in trials]
        x = trials[int(np.argmax(slopes))]
        points.append(x)
    return points


@pytest.mark.parametrize("name", NETWORKS)
def test_no_derivative_in_the_ball_is_steeper(name: str):
    f = smooth(name)
    ball = on_ball(f)
    for i in np.random.default_rng(0).integers(0, f.start().numel(), 8).tolist():
        for x in steep_points(f, ball.radius, i, seed=i):
            loss_slopes = (f.grad(x) - f.weight_decay * x).abs()
            assert bool((loss_slopes <= ball.coordinate_lipschitz * (1 + 1e-9)).all()), name


@pytest.mark.parametrize("name", NETWORKS)
def test_zeroing_a_coordinate_raises_f_by_no_more(name: str):
    f = smooth(name)
    ball = on_ball(f)
    generator = torch.Generator().manual_seed(1)
    for _ in range(30):
        x = torch.randn(f.start().shape, generator=generator, dtype=torch.float64)
        x *= ball.radius / x.norm() * torch.rand(1, generator=generator, dtype=torch.float64)
        i = int(torch.randint(x.numel(), (1,), generator=generator))
        zeroed = x.clone()
        zeroed[i] = 0.0
        assert f.value(zeroed) - f.value(x) <= float(ball.coordinate_lipschitz[i]) * abs(float(x[i])) + 1e-12


def test_one_layer_is_sharp_up_to_the_softmax():
    """The bound of W_jk is the root mean square of the input k; a large weight of the wrong class comes close to it."""
    inputs = torch.tensor([[2.0, 0.0, 1.0]], dtype=torch.float64)
    network = nn.Sequential(nn.Linear(3, 2)).double()
    f = TorchSmooth(network, [(inputs, torch.tensor([0]))], functional.cross_entropy, weight_decay=1e-3)
    ball = on_ball(f)
    weights = ball.coordinate_lipschitz[:6].reshape(2, 3)
    torch.testing.assert_close(weights, torch.tensor([[2.0, 0.0, 1.0]] * 2, dtype=torch.float64))
    x = torch.tensor([0.0, 0.0, 0.0, 5.0, 0.0, 5.0, 0.0, 0.0], dtype=torch.float64)
    assert x.norm() <= ball.radius
    assert abs(float(f.grad(x)[3] - f.weight_decay * x[3])) >= 0.999 * 2.0


def test_the_radius_is_that_of_the_level():
    f = smooth("sigmoid", weight_decay=0.25)
    at_zero = f.value(torch.zeros_like(f.start()))
    assert on_ball(f).radius == pytest.approx(math.sqrt(8 * at_zero))
    assert on_ball(f, level=0.5 * at_zero).radius == pytest.approx(math.sqrt(4 * at_zero))
    assert on_ball(f, level=2 * at_zero).radius == on_ball(f).radius  # 0 is a known point too
    smaller, larger = on_ball(f, level=0.1 * at_zero), on_ball(f)
    assert bool((smaller.coordinate_lipschitz <= larger.coordinate_lipschitz).all())


def test_penalize_exact_names_the_ball():
    f = smooth("sigmoid")
    ball = on_ball(f)
    weight = 0.02 * f.mask
    exactness = ZeroNormProblem(ball, weight).to_mpec(phi.mcp()).penalize("exact").exactness
    assert exactness.exact
    assert "Theorem 3.1" in exactness.statement
    assert "Proposition 3.12" in exactness.statement
    l = ball.coordinate_lipschitz[f.view.mask].max()
    assert exactness.threshold == pytest.approx(2 * float(l) / 0.02)
    with pytest.raises(ValueError, match="gives neither"):
        ZeroNormProblem(f, weight).to_mpec(phi.mcp()).penalize("exact")


def test_a_problem_on_the_ball_is_solved():
    from parsimo import ProximalGradient, solve, stopping

    f = smooth("sigmoid")
    problem = ZeroNormProblem(on_ball(f), 0.02 * f.mask)
    surrogate = problem.to_mpec(phi.mcp()).penalize("exact").eliminate()
    result = solve(surrogate, ProximalGradient(), stop=stopping.max_iterations(20))
    assert result.objective <= surrogate.value(f.start())


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.layer(-x)


def frozen() -> nn.Module:
    network = dense(nn.Sigmoid)
    network[0].weight.requires_grad_(False)
    return network


@pytest.mark.parametrize(
    ("network", "loss", "weight_decay", "match"),
    [
        (dense(nn.Sigmoid), functional.cross_entropy, 0.0, "without weight decay .* not coercive"),
        (
            dense(nn.Sigmoid),
            functional.mse_loss,
            0.1,
            "mse_loss.* has no known bound; .*cross_entropy and .*; for another, give",
        ),
        (dense(nn.Sigmoid), nn.CrossEntropyLoss(weight=torch.ones(3)), 0.1, "class weights"),
        (Branching(), functional.cross_entropy, 0.1, "needs a torch.nn.Sequential, got Branching"),
        (
            dense(nn.ELU),
            functional.cross_entropy,
            0.1,
            "layer 1 = ELU.*; known are Linear .*Tanh, ReLU, .*; for another, give f",
        ),
        (frozen(), functional.cross_entropy, 0.1, "shared or frozen parameters"),
        (
            nn.Sequential(nn.Sigmoid(), nn.Linear(4, 3)),
            functional.cross_entropy,
            0.1,
            "0 = Sigmoid.* before the first layer",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(3, stride=1), nn.Flatten(), nn.Linear(48, 3)),
            functional.cross_entropy,
            0.1,
            "no bound is known for the layer 1 = MaxPool2d",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(144, 3)),
            functional.cross_entropy,
            0.1,
            "no bound is known for the layer 0 = Conv2d",
        ),
        (
            nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)),
            functional.cross_entropy,
            0.1,
            "no bound is known for the layer 1 = BatchNorm1d",
        ),
    ],
)
def test_what_is_not_known_is_refused(network, loss, weight_decay, match):
    shape = (2, 8, 8) if isinstance(next(network.children()), nn.Conv2d) else (4,)
    f = TorchSmooth(network.double(), data(*shape), loss, weight_decay=weight_decay)
    with pytest.raises(ValueError, match=match):
        on_ball(f)


@pytest.mark.parametrize("f", [LeastSquares(np.eye(2), np.ones(2)), dense(nn.Sigmoid)], ids=["data", "network"])
def test_what_is_no_loss_of_a_network_is_refused(f):
    with pytest.raises(
        TypeError, match=rf"on_ball: f must be the loss of a network, got {type(f).__name__}; pass Torch"
    ):
        on_ball(f)


def test_a_ball_of_a_ball_is_that_ball():
    f = smooth("sigmoid")
    assert on_ball(on_ball(f)).radius == on_ball(f).radius


def test_a_level_is_a_number():
    with pytest.raises(ValueError, match=r"on_ball: level must be a finite number >= 0, got -1\.0"):
        on_ball(smooth("sigmoid"), level=-1.0)


def test_a_convolution_in_last_place_meets_several_outputs():
    """A weight of its filter moves both logits at once: the gradient's norm counts, not one entry."""
    inputs = torch.tensor([[[[1.0, -1.0]], [[1.0, -1.0]]]], dtype=torch.float64)
    network = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.Flatten()).double()
    f = TorchSmooth(network, [(inputs, torch.tensor([0]))], functional.cross_entropy, weight_decay=0.01)
    ball = on_ball(f)
    x = torch.tensor([0.5, -0.8], dtype=torch.float64) * ball.radius
    zeroed = torch.tensor([0.0, -0.8], dtype=torch.float64) * ball.radius
    assert f.value(zeroed) - f.value(x) <= float(ball.coordinate_lipschitz[0] * x[0])
    slopes = (f.grad(x) - f.weight_decay * x).abs()
    assert bool((slopes <= ball.coordinate_lipschitz).all())


def hooked() -> nn.Module:
    network = dense(nn.Sigmoid)
    network[0].register_forward_hook(lambda module, inputs, output: 100 * output)
    return network


class Scaled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 50 * super().forward(x)


IGNORED = (torch.ones(2, 4, dtype=torch.float64), torch.tensor([0, -100]))
SOFT = (torch.ones(2, 4, dtype=torch.float64), 5 * torch.eye(3, dtype=torch.float64)[:2])
SEQUENCES = (torch.ones(2, 3, 4, dtype=torch.float64), torch.tensor([0, 1]))
IMAGES = (torch.ones(2, 2, 8, 8, dtype=torch.float64), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("network", "loss", "batch", "match"),
    [
        (dense(nn.Sigmoid), nn.CrossEntropyLoss(reduction="sum"), data(4)[0], "must be the mean .* reduction='sum'"),
        (dense(nn.Sigmoid), functional.cross_entropy, IGNORED, "none of them ignored by the loss"),
        (dense(nn.Sigmoid), functional.cross_entropy, SOFT, "targets must be classes"),
        (hooked(), functional.cross_entropy, data(4)[0], "no bound is known for the layer 0 = Linear"),
        (nn.Sequential(Scaled(4, 3)), functional.cross_entropy, data(4)[0], "no bound is known for the layer 0"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Flatten(), nn.Linear(9, 3)),
            functional.cross_entropy,
            SEQUENCES,
            "no bound is known for the layer 0 = Linear",
        ),
        (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.AvgPool2d(2, divisor_override=1), nn.Flatten(), nn.Linear(27, 3)),
            functional.cross_entropy,
            IMAGES,
            "no bound is known for the layer 1 = AvgPool2d",
        ),
        (
            nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))),
            functional.cross_entropy,
            data(4)[0],
            "no bound is known for the layer 0",
        ),
    ],
)
def test_what_the_proposition_does_not_cover_is_refused(network, loss, batch, match):
    f = TorchSmooth(network.double(), [batch], loss, weight_decay=0.1)
    with pytest.raises(ValueError, match=match):
        on_ball(f)
