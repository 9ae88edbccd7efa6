"""`check_gradient` passes what is right in every library, and sees each planted fault."""

from __future__ import annotations

import dataclasses
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

import parsimo as ps
from parsimo.theory_checks import check_gradient

RNG = np.random.default_rng(7)
A, B = RNG.standard_normal((15, 6)), RNG.standard_normal(15)
LABELS = np.where(RNG.random(15) < 0.5, -1.0, 1.0)


class Altered:
    """A data term with some attributes replaced; functions take the data term first."""

    def __init__(self, f: Any, **changes: Any) -> None:
        self._f, self._changes = f, changes

    def __getattr__(self, name: str) -> Any:
        change = self._changes.get(name, getattr(self._f, name))
        return (lambda *args: change(self._f, *args)) if name in self._changes and callable(change) else change

    def __repr__(self) -> str:
        return f"Altered({self._f!r}, {', '.join(self._changes)})"


def squares(**changes: Any) -> Altered:
    return Altered(ps.LeastSquares(A, B), **changes)


def logistic(**changes: Any) -> Altered:
    return Altered(ps.Logistic(A, LABELS), **changes)


def with_gradient(wrong: Any) -> dict[str, Any]:
    """`grad` and `value_and_grad` that agree with each other."""
    return {"grad": wrong, "value_and_grad": lambda f, x: (f.value(x), wrong(f, x))}


def one_coordinate_off(f: Any, x: np.ndarray) -> np.ndarray:
    gradient = f.grad(x)
    gradient[2] *= 1.001
    return gradient


def written_to(f: Any, x: np.ndarray) -> np.ndarray:
    gradient = f.grad(x)
    x += 1e-12
    return gradient


def one_entry_off(f: Any, x: np.ndarray, rows: Any, columns: Any) -> np.ndarray:
    block = f.hessian(x, rows, columns)
    block[0, 0] *= 1.001
    return block


LEAST = ps.LeastSquares(A, B).value(np.linalg.lstsq(A, B, rcond=None)[0])
UNSCALED = A[:, :3] * np.array([1e4, 1.0, 1.0])

FAULTS: dict[str, Any] = {
    "one coordinate off by 1e-3": squares(**with_gradient(one_coordinate_off)),
    "one coordinate off by 1e-3, logistic": logistic(**with_gradient(one_coordinate_off)),
    "the factor 1/m forgotten": Altered(
        ps.LeastSquares(A, B, average=True), **with_gradient(lambda f, x: 15 * f.grad(x))
    ),
    "an offset": squares(**with_gradient(lambda f, x: f.grad(x) + 1e-4)),
    "sign": squares(**with_gradient(lambda f, x: -f.grad(x))),
    "value_and_grad: another value": squares(value_and_grad=lambda f, x: (f.value(x) + 1e-3, f.grad(x))),
    "value_and_grad: another gradient": squares(value_and_grad=lambda f, x: (f.value(x), 1.001 * f.grad(x))),
    "single precision": squares(**with_gradient(lambda f, x: f.grad(x).astype(np.float32))),
    "another library": squares(**with_gradient(lambda f, x: torch.from_numpy(f.grad(x)))),
    "x is written to": squares(grad=written_to),
    "lipschitz 1% too small": squares(lipschitz=0.99 * ps.LeastSquares(A, B).lipschitz),
    "lipschitz 1% too small, logistic": logistic(lipschitz=0.99 * ps.Logistic(A, LABELS).lipschitz),
    "strong convexity 1% too large": squares(strong_convexity=1.01 * ps.LeastSquares(A, B).strong_convexity),
    "coordinate_curvature 1% too small": squares(coordinate_curvature=0.99 * (A**2).sum(axis=0)),
    "one coordinate_curvature 1% too small": squares(
        coordinate_curvature=(A**2).sum(axis=0) * np.where(np.arange(6) == 3, 0.99, 1.0)
    ),
    "coordinate_curvature of another term": logistic(coordinate_curvature=(A**2).sum(axis=0) / 5),
    "coordinate_lipschitz halved": logistic(coordinate_lipschitz=0.5 * np.abs(A).sum(axis=0)),
    "lower_bound above the minimum": squares(lower_bound=1e3),
    "lower_bound 1% above the minimum": squares(lower_bound=1.01 * LEAST),
    "lower_bound above the minimum, small objective": Altered(
        ps.LeastSquares(1e-4 * A, 1e-4 * B), lower_bound=1.01e-8 * LEAST
    ),
    "lower_bound above the minimum, columns of other units": Altered(
        ps.LeastSquares(UNSCALED, UNSCALED[:, 1] + B), lower_bound=0.45 * float(((UNSCALED[:, 1] + B) ** 2).sum())
    ),
    "hessian doubled": squares(hessian=lambda f, *args: 2 * f.hessian(*args)),
    "hessian off by 1e-3 in one entry": logistic(hessian=one_entry_off),
    "hessian of another point": logistic(hessian=lambda f, x, *args: f.hessian(x + 0.1, *args)),
    "hessian of other rows": squares(
        hessian=lambda f, x, rows, columns: f.hessian(x, rows and sorted(rows), columns),
    ),
    "hessian in single precision": squares(hessian=lambda f, *args: f.hessian(*args).astype(np.float32)),
    "exact coordinate_curvature 1.5 times too large": squares(
        coordinate_curvature=1.5 * (A**2).sum(axis=0), coordinate_curvature_is_exact=True
    ),
    "exact coordinate_curvature 1% too large in one coordinate": squares(
        coordinate_curvature=(A**2).sum(axis=0) * np.where(np.arange(6) == 3, 1.01, 1.0)
    ),
    "exact coordinate_curvature 1000 times too large": squares(coordinate_curvature=np.full(6, 1e3)),
    "coordinate_curvature_is_exact of a bound": logistic(coordinate_curvature_is_exact=True),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name: str):
    evidence = check_gradient(FAULTS[name])
    assert evidence.verdict == "fails", evidence


@dataclasses.dataclass(frozen=True, eq=False)
class Quadratic:
    """x'Qx / 2, with what it states of itself."""

    Q: np.ndarray
    weak_convexity: float | None = None
    convex: bool = False
    lipschitz: float | None = None
    strong_convexity: float | None = None

    def value(self, x: np.ndarray) -> float:
        return float(x @ self.Q @ x) / 2

    def grad(self, x: np.ndarray) -> np.ndarray:
        return self.Q @ x

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)


BENT = np.diag([-1.0, 2.0, 5.0])


@pytest.mark.parametrize(
    ("f", "holds"),
    [
        (Quadratic(BENT), True),
        (Quadratic(BENT, weak_convexity=1.0, lipschitz=5.0), True),
        (Quadratic(BENT, weak_convexity=0.97), False),
        (Quadratic(BENT, weak_convexity=0.0), False),
        (Quadratic(BENT, convex=True), False),
        (Quadratic(BENT, lipschitz=4.97), False),
        (Quadratic(-BENT, weak_convexity=5.0, lipschitz=5.0), True),
        (Quadratic(-BENT, weak_convexity=4.9), False),
    ],
)
def test_convexity_claims(f: Quadratic, holds: bool):
    evidence = check_gradient(f, shape=(3,))
    assert evidence.holds == holds, evidence


@pytest.mark.parametrize("spectrum", [np.linspace(1, 100, 40), np.geomspace(1, 1e4, 30)], ids=["even", "geometric"])
def test_constants_are_tried_where_they_are_tight(spectrum: np.ndarray):
    """The two extreme eigenvalues have close neighbours."""
    basis = np.linalg.qr(RNG.standard_normal((spectrum.size, spectrum.size)))[0]
    Q = basis @ np.diag(spectrum) @ basis.T
    for claim, holds in (
        ({"strong_convexity": 1.0, "lipschitz": spectrum[-1]}, True),
        ({"strong_convexity": 1.01}, False),
        ({"lipschitz": 0.99 * spectrum[-1]}, False),
    ):
        evidence = check_gradient(Quadratic(Q, **claim), trials=3, shape=spectrum.shape)
        assert evidence.holds == holds, evidence


def test_a_tight_lower_bound_is_none_too_high():
    for bound in (LEAST, 0.999 * LEAST, 0.0, -np.inf):
        assert check_gradient(squares(lower_bound=bound)).holds
    assert check_gradient(ps.LeastSquares(A.T, B[:6])).holds  # whose minimum is 0


@dataclasses.dataclass(frozen=True)
class MinusLogarithms:
    """-sum log x, on x > 0."""

    factor: float = 1.0
    lower_bound: float | None = None
    convex = True

    def value(self, x: np.ndarray) -> float:
        return -float(np.log(x).sum())

    def grad(self, x: np.ndarray) -> np.ndarray:
        return -self.factor / x

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)

    def hessian(self, x: np.ndarray, rows: Any, columns: Any) -> np.ndarray:
        whole = np.diag(self.factor / x**2)
        return whole[:, columns] if rows is None else whole[np.ix_(rows, columns)]


def test_a_domain_that_is_not_all_of_space():
    """Warnings are errors here: that f is not finite is said, and where."""
    f = MinusLogarithms()
    with pytest.raises(
        ValueError, match=r"MinusLogarithms.* is inf at x = np.array\(\[0.0, 0.0, 0.0\]\).*pass as x= a p"
    ):
        check_gradient(f, shape=(3,))
    with pytest.raises(ValueError, match="is nan at x = "):
        check_gradient(f, x=np.array([1.0, -1.0]))
    for seed in range(5):
        for x in (np.ones(3), np.array([0.01, 1.0, 100.0])):
            evidence = check_gradient(f, seed, x=x)
            assert evidence.holds, evidence
    assert not check_gradient(MinusLogarithms(1.001), x=np.ones(3)).holds
    assert not check_gradient(MinusLogarithms(lower_bound=-50.0), x=np.ones(3)).holds  # it has none


def in_torch(x: torch.Tensor) -> torch.Tensor:
    return ((torch.from_numpy(A) @ x - torch.from_numpy(B)) ** 2).sum() / 2


def test_a_reference_in_torch():
    assert check_gradient(ps.LeastSquares(A, B), reference=in_torch).holds
    assert not check_gradient(ps.LeastSquares(A, B), reference=lambda x: 1.0001 * in_torch(x)).holds
    assert not check_gradient(ps.LeastSquares(A, B), reference=lambda x: in_torch(x) + 1e-3 * x[1]).holds


def libraries() -> dict[str, Any]:
    return {
        "float32": ps.LeastSquares(A.astype(np.float32), B.astype(np.float32)),
        "torch": ps.Logistic(torch.from_numpy(A), torch.from_numpy(LABELS)),
        "torch float32": ps.LeastSquares(torch.from_numpy(A).float(), torch.from_numpy(B).float()),
        "array-api-strict": ps.LeastSquares(array_api_strict.asarray(A), array_api_strict.asarray(B)),
    }


@pytest.mark.parametrize("name", libraries())
def test_other_libraries_and_dtypes(name: str):
    evidence = check_gradient(libraries()[name])
    assert evidence.holds, evidence


def test_a_fault_in_single_precision_is_seen():
    f = Altered(libraries()["float32"], **with_gradient(one_coordinate_off))
    assert not check_gradient(f, trials=20).holds


def test_many_coordinates():
    """More than are looked at one by one: the rest is seen along a direction."""
    wide = RNG.standard_normal((20, 300))
    f = ps.LeastSquares(wide, RNG.standard_normal(20))
    assert check_gradient(f, trials=3).holds

    def last_off(f: Any, x: np.ndarray) -> np.ndarray:
        gradient = f.grad(x)
        gradient[-1] *= 1.01
        return gradient

    assert not check_gradient(Altered(f, **with_gradient(last_off)), trials=6).holds


def test_a_network_loss():
    neural = pytest.importorskip("parsimo.neural")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Sigmoid(), torch.nn.Linear(5, 3)).double()
    batch = (torch.randn(12, 4, dtype=torch.float64), torch.randint(0, 3, (12,)))
    f = neural.TorchSmooth(net, [batch], torch.nn.functional.cross_entropy)
    assert check_gradient(f, trials=3).holds


def test_points_are_taken_about_x():
    """A function whose gradient is wrong far from 0 alone."""

    def wrong_far_off(f: Any, x: np.ndarray) -> np.ndarray:
        return f.grad(x) * (1.01 if np.linalg.norm(x) > 500 else 1.0)

    f = squares(**with_gradient(wrong_far_off))
    assert check_gradient(f, trials=5).holds
    assert not check_gradient(f, trials=5, x=np.full(6, 1e3)).holds


@pytest.mark.parametrize("name", ["one coordinate off by 1e-3", "lipschitz 1% too small", "sign"])
def test_the_worst_case_can_be_pasted(name: str):
    f = FAULTS[name]
    worst = check_gradient(f).worst_case
    assert np.abs(eval(worst, {"f": f, "np": np})).max() > 1e-9


def test_checks_repeat():
    f = ps.Logistic(A, LABELS)
    assert check_gradient(f, 3) == check_gradient(f, 3)
    assert check_gradient(f, 3, trials=2).trials < check_gradient(f, 3).trials


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"value must return a Python float, got array\(.*wrap it in float"):
        check_gradient(squares(value=lambda f, x: np.array([f.value(x)])))
    with pytest.raises(ValueError, match=r"must have the shape \(6,\) of x, got \(6, 1\)"):
        check_gradient(squares(**with_gradient(lambda f, x: f.grad(x)[:, None])))
    with pytest.raises(ValueError, match=r"must have the shape \(6,\) of x, got list"):
        check_gradient(squares(**with_gradient(lambda f, x: f.grad(x).tolist())))
    with pytest.raises(ValueError, match="has neither start\\(\\) nor shape; pass x or shape"):
        check_gradient(Quadratic(BENT))
    with pytest.raises(TypeError, match="is no smooth function: it lacks grad, value_and_grad"):
        check_gradient(ps.L1(1.0))
    for both in (lambda f, x: f.value(x), lambda f, x: (f.value(x),), lambda f, x: (f.grad(x), f.value(x))):
        with pytest.raises(
            TypeError, match=r"(?s)value_and_grad must return a Python float and the gradient, got .* from "
        ):
            check_gradient(squares(value_and_grad=both))
    with pytest.raises(
        ValueError, match=r"hessian\(x, None, .*\) of Altered.* must be an array of shape \(6, 6\), got \(6,\)"
    ):
        check_gradient(squares(hessian=lambda f, *args: f.hessian(*args)[:, 0]))
    with pytest.raises(ValueError, match=r"coordinate_curvature of Altered.* of shape \(6,\), got \(5,\)"):
        check_gradient(squares(coordinate_curvature=np.ones(5)))
    with pytest.raises(ValueError, match="states coordinate_curvature_is_exact without a coordinate_curvature"):
        check_gradient(squares(coordinate_curvature=None, coordinate_curvature_is_exact=True))
    for tolerance in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"tolerance must be a positive number, got {tolerance}"):
            check_gradient(squares(), tolerance=tolerance)
    for trials in (0, -1):
        with pytest.raises(ValueError, match=f"trials must be at least 1, got {trials}"):
            check_gradient(squares(), trials=trials)
    for x in (np.ones((2, 3)), np.arange(6), [1.0] * 6):
        with pytest.raises(TypeError, match="x must be a 1-D array of floats"):
            check_gradient(ps.LeastSquares(A, B), x=x)


def test_values_too_rough_to_differentiate():
    rough = squares(value=lambda f, x: f.value(x) * (1 + 0.01 * float(np.sin(1e9 * x.sum()))))
    with pytest.raises(ValueError, match="too rough to differentiate"):
        check_gradient(rough)
    rounded = squares(value=lambda f, x: float(np.float32(f.value(x))))
    with pytest.raises(ValueError, match=r"have single precision, .*compute them in float64"):
        check_gradient(rounded)
