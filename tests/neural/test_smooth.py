"""TorchSmooth: the loss as a function of one flat vector, and networks as problems for the ordinary solvers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import parsimo as ps
from parsimo.neural import TorchSmooth
from parsimo.neural.smooth import FlatView

LOSS = nn.functional.cross_entropy


def double(network, data):
    return network.double(), [(data[0].double(), data[1])]


def test_value_is_the_mean_loss_however_the_data_are_cut(network, data):
    whole = TorchSmooth(network, [data], LOSS)
    parts = TorchSmooth(network, [(data[0][:100], data[1][:100]), (data[0][100:], data[1][100:])], LOSS)
    expected = float(LOSS(network(data[0]), data[1]).detach())
    assert whole.value(whole.start()) == pytest.approx(expected, rel=1e-6)
    assert parts.value(parts.start()) == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_derivative_of_the_value(network, data):
    f = TorchSmooth(*double(network, data), LOSS, weight_decay=0.3)
    x = f.start()
    direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(2))
    h = 1e-6
    slope = (f.value(x + h * direction) - f.value(x - h * direction)) / (2 * h)
    assert slope == pytest.approx(float(f.grad(x) @ direction), rel=1e-6)
    value, gradient = f.value_and_grad(x)
    assert value == pytest.approx(f.value(x), rel=1e-12)
    assert torch.equal(gradient, f.grad(x))


def test_evaluation_leaves_the_module_alone(network, data):
    network.insert(1, nn.BatchNorm1d(16))
    network.train()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    f = TorchSmooth(network, [data], LOSS)
    f.value_and_grad(f.start() + 1)
    assert network.training
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_gradient_is_zero_outside_the_support(network, data):
    support = torch.zeros(242, dtype=torch.bool)
    support[::3] = True
    f = TorchSmooth(network, [data], LOSS, support=support)
    gradient = f.grad(f.start())
    assert bool((gradient[~support] == 0).all())
    assert bool((gradient[support] != 0).any())


def test_mask_marks_matrices_and_not_biases(network, data):
    f = TorchSmooth(network, [data], LOSS)
    assert f.mask.sum() == 12 * 16 + 16 * 2
    assert f.mask.dtype == torch.float32
    chosen = TorchSmooth(network, [data], LOSS, select=lambda name, parameter: name == "2.weight")
    assert chosen.mask.sum() == 32


def test_flat_view_round_trip(network):
    view = FlatView.of(network)
    flat = view.attach()
    assert torch.equal(flat, view.vector())
    flat += 1.0  # the parameters are views
    assert torch.equal(view.vector(), flat)
    view.write(torch.zeros_like(flat))
    assert all(bool((p == 0).all()) for p in network.parameters())
    assert list(view.blocks) == ["0.weight", "2.weight"]


def test_the_same_problem_and_solver_objects_certify_a_small_network(data):
    inputs = 3 * data[0][:, :3].double()
    targets = (inputs[:, 0] + inputs[:, 2] > 0).long()
    network = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2)).double()
    f = TorchSmooth(network, [(inputs, targets)], LOSS, weight_decay=5e-2)
    problem = ps.ZeroNormProblem(f, weight=2e-3 * f.mask)
    stop = ps.stopping.first_of(ps.stopping.certificate_below(1e-4), ps.stopping.max_iterations(2000))
    result = ps.solve(problem, ps.ProximalADMM(), stop=stop, every=20)
    assert result.status is ps.Status.CONVERGED
    # independently: the gradient on the support and at the free coordinates
    active = (result.x != 0) | (f.mask == 0)
    assert float(f.grad(result.x)[active].norm()) == pytest.approx(result.certificate, rel=1e-6)
    assert result.certificate <= 1e-4
    assert 0 < int((result.x[f.mask == 1] != 0).sum()) < 20
    assert any("estimated" in note for note in result.notes)


def test_exact_threshold_needs_constants_that_a_network_does_not_have(network, data):
    f = TorchSmooth(network, [data], LOSS)
    mpec = ps.ZeroNormProblem(f, weight=1e-3 * f.mask).to_mpec(ps.phi.mcp())
    with pytest.raises(ValueError, match="neither coordinate_lipschitz nor coordinate_curvature"):
        mpec.penalize(rho="exact")
    assert "not proven exact" in str(mpec.penalize(rho=10.0).exactness)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"data": iter([])}, TypeError, "iterator"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be >= 0"),
        ({"select": lambda name, parameter: False}, ValueError, "none of the 4 parameters"),
        ({"module": nn.Sigmoid()}, ValueError, "no trainable parameter"),
        (
            {"loss": "ce"},
            TypeError,
            "loss must be a function of .*, got 'ce'; pass for example torch.nn.functional.cross",
        ),
    ],
)
def test_bad_arguments(network, data, change, error, words):
    arguments = {"module": network, "data": [data], "loss": LOSS} | change
    with pytest.raises(error, match=words):
        TorchSmooth(**arguments)


def test_inputs_of_another_dtype_are_named(network, data):
    for call in ("value", "grad"):
        f = TorchSmooth(network, [(data[0].double(), data[1])], LOSS)
        with pytest.raises(
            TypeError, match=r"inputs have dtype torch.float64, but the parameters torch.float32; cast"
        ) as e:
            getattr(f, call)(f.start())
        assert "inputs.to(torch.float32), or the network by network.to(torch.float64)" in str(e.value)
    short = TorchSmooth(network, [(data[0][:, :3], data[1])], LOSS)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):  # nothing to do with dtypes
        short.value(short.start())


class Casting(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.float())


def test_a_network_may_cast_its_inputs(data):
    f = TorchSmooth(Casting(nn.Linear(12, 2)), [(data[0].double(), data[1])], LOSS)
    assert np.isfinite(f.value(f.start()))


def test_empty_data(network):
    f = TorchSmooth(network, [], LOSS)
    with pytest.raises(ValueError, match="no example"):
        f.value(f.start())


def test_numpy_start_is_refused(network, data):
    f = TorchSmooth(network, [data], LOSS)
    with pytest.raises(TypeError, match="numpy"):
        ps.solve(ps.ZeroNormProblem(f, 1e-3 * f.mask), ps.ProximalADMM(), x0=np.zeros(242))


def test_a_submodule_used_twice_and_a_parameter_shared_by_two(data):
    shared = nn.Linear(12, 12)
    twice = nn.Sequential(shared, nn.Sigmoid(), shared, nn.Linear(12, 2))
    tied = nn.Sequential(nn.Linear(12, 12, bias=False), nn.Sigmoid(), nn.Linear(12, 12, bias=False), nn.Linear(12, 2))
    tied[2].weight = tied[0].weight
    for network in (twice, tied):
        f = TorchSmooth(network.double(), [(data[0].double(), data[1])], LOSS)
        x = f.start()
        loss = LOSS(network(data[0].double()), data[1])
        loss.backward()
        expected = torch.cat([p.grad.reshape(-1) for p in network.parameters()])
        assert f.value(x) == pytest.approx(float(loss.detach()), rel=1e-12)
        assert torch.allclose(f.grad(x), expected, rtol=1e-10, atol=1e-14)
        assert all(isinstance(p, nn.Parameter) for p in network.parameters())
        f.value(x + 1)  # and the module is as it was
        assert torch.equal(f.start(), x)


def test_a_loss_that_is_no_mean_is_refused(network, data):
    f = TorchSmooth(network, [data], nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(ValueError, match="the mean over the batch"):
        f.value(f.start())
