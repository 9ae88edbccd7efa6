"""The same solver object takes the same steps in numpy, torch and array-api-strict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch
from solver_cases import SOLVERS, Data, admits

import parsimo as ps
from parsimo._array import array_namespace, to_numpy
from parsimo.solvers import stopping

LIBRARIES: dict[str, Callable[[np.ndarray], Any]] = {
    "torch": torch.from_numpy,
    "array-api-strict": lambda a: array_api_strict.asarray(a.tolist()),
}


def build(kind: str, penalty: str, convert: Callable[[np.ndarray], Any]) -> Any:
    data = Data(kind)
    A, b = convert(data.A), convert(data.b)
    f: Any = ps.Logistic(A, b) if data.logistic else ps.LeastSquares(A, b)
    if penalty == "l1":
        return ps.Composite(f, ps.L1(convert(np.full(data.A.shape[1], 0.1))))
    if penalty == "zero norm":
        return ps.ZeroNormProblem(f, 0.1)
    if penalty == "squared clusters":
        return ps.ClusteringProblem(f, weight=0.2, k=3, distance="squared")
    return ps.ZeroNormProblem(f, 0.1).to_mpec(ps.phi.mcp()).penalize(rho="exact").eliminate()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("kind", "penalty"), [("wide least squares", "l1"), ("wide least squares", "mcp"), ("logistic", "zero norm")]
)
def test_the_same_solver_object_takes_the_same_steps(library: str, name: str, penalty: str, kind: str):
    solver, stop, convert = SOLVERS[name], stopping.max_iterations(15), LIBRARIES[library]
    assert admits(Data(kind), solver)
    x0 = np.linspace(-1, 1, Data(kind).A.shape[1])
    reference = ps.solve(build(kind, penalty, lambda a: a), solver, x0, stop=stop)
    result = ps.solve(build(kind, penalty, convert), solver, convert(x0), stop=stop)
    assert array_namespace(result.x) is array_namespace(convert(x0))
    assert result.x.dtype == convert(x0).dtype
    close = (
        1e-6 if name in ("proximal gradient", "alternating") else 1e-9
    )  # its steps are quotients, which raise rounding
    np.testing.assert_allclose(to_numpy(result.x), reference.x, atol=close / 10)
    assert result.certificate == pytest.approx(reference.certificate, abs=close)
    assert result.history["merit"] == pytest.approx(reference.history["merit"], abs=close)


@pytest.mark.parametrize("name", ["proximal gradient", "P-ADMM", "alternating"])
def test_clustering_in_torch_takes_the_steps_of_numpy(name: str):
    stop = stopping.max_iterations(10)
    reference = ps.solve(build("tall least squares", "squared clusters", lambda a: a), SOLVERS[name], stop=stop)
    result = ps.solve(build("tall least squares", "squared clusters", torch.from_numpy), SOLVERS[name], stop=stop)
    assert isinstance(result.x, torch.Tensor)
    np.testing.assert_allclose(to_numpy(result.x), reference.x, atol=1e-9)


@pytest.mark.parametrize("name", ["proximal gradient", "P-ADMM, inexact", "alternating"])
def test_torch_single_precision_stays_single_and_the_start_untouched(name: str):
    data = Data("tall least squares")
    f = ps.LeastSquares(torch.from_numpy(data.A).float(), torch.from_numpy(data.b).float())
    x0 = torch.ones(data.A.shape[1])
    result = ps.solve(ps.ZeroNormProblem(f, 0.1), SOLVERS[name], x0)
    assert result.x.dtype == torch.float32
    assert bool((x0 == 1).all())
    assert result.status is ps.Status.CONVERGED


def test_an_estimated_constant_is_the_same_in_every_library():
    class Bowl:
        """log sum exp, whose Lipschitz constant is kept secret."""

        lipschitz = None

        def value(self, x: Any) -> float:
            xp = array_namespace(x)
            return float(xp.log(xp.sum(xp.exp(x))))

        def grad(self, x: Any) -> Any:
            weights = array_namespace(x).exp(x)
            return weights / array_namespace(x).sum(weights)

        def value_and_grad(self, x: Any) -> tuple[float, Any]:
            return self.value(x), self.grad(x)

    sigmas = []
    for convert in (lambda a: a, *LIBRARIES.values()):
        solver = ps.ProximalADMM()
        sigmas.append(solver.init(ps.Composite(Bowl(), ps.L1(0.1)), convert(np.arange(4.0))).sigma)
    assert sigmas[1:] == pytest.approx(sigmas[:-1], rel=1e-6)
