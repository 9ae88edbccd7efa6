"""What is minimized. A case is a data term and one penalty or a path of them; everything else is translation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

import parsimo as ps
from parsimo.problems import instances

__all__ = ["CASES", "Case", "Goal"]

MCP_GAMMA, SCAD_GAMMA = 3.0, 3.7  # the defaults of skglm's estimators and of Fan and Li
LIBRARIES_OF_PROXES = (
    "PyProximal FISTA",
    "PyProximal Anderson",
    "PyProximal ADMM",
    "copt",
    "copt accelerated",
    "jaxopt",
    "skglm FISTA",
)


@dataclass(frozen=True)
class Goal:
    """A solver of parsimo's is to need at most `ratio` of the time of each of the others."""

    ours: str
    against: tuple[str, ...]
    ratio: float


@dataclass(frozen=True, eq=False)
class Case:
    """Minimize f(x) + g_k(x) for k = 1, ..., K, where f is the mean loss of (A, b).

    Parameters
    ----------
    name : str
    description : str
        One line for the table.
    A : (m, n) array in Fortran order, or CSC matrix
    b : (m,) array
        Targets, or labels -1 and 1.
    truth : (n,) array
        The coefficients that the data were drawn from.
    penalty : str
        "l1", "mcp", "scad" or "subset" (at most k nonzeros).
    parameters : tuple of float or int
        alpha, the slope of g_k at 0, from the largest to the smallest; of subsets, the sizes k. With K = 1 the case is
        a single solve.
    gamma : float
        The shape of MCP and SCAD.
    loss : str
        "squares", |Ax - b|^2 / (2m), or "logistic", the mean of log(1 + exp(-b_i a_i'x)).
    goals : tuple of Goal
    """

    name: str
    description: str
    A: Any
    b: np.ndarray
    truth: np.ndarray
    penalty: str
    parameters: tuple[Any, ...]
    gamma: float = np.nan
    loss: str = "squares"
    goals: tuple[Goal, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of A."""
        return self.A.shape

    @property
    def is_path(self) -> bool:
        """Whether there is more than one problem."""
        return len(self.parameters) > 1

    def data_term(self) -> Any:
        """A new f, with nothing in its caches."""
        kind = ps.LeastSquares if self.loss == "squares" else ps.Logistic
        return kind(self.A, self.b, average=True)

    def regularizer(self, parameter: Any) -> Any:
        """g_k."""
        match self.penalty:
            case "l1":
                return ps.L1(parameter)
            case "mcp":
                return ps.MCP.from_alpha_gamma(parameter, self.gamma)
            case "scad":
                return ps.SCAD.from_alpha_gamma(parameter, self.gamma)
            case "subset":
                return ps.ZeroNormBall(parameter)
        raise ValueError(f"Case: penalty must be l1, mcp, scad or subset, got {self.penalty!r}")

    @cached_property
    def problems(self) -> list[ps.Composite]:
        """The K problems as parsimo states them: what every answer is judged by."""
        f = self.data_term()
        return [ps.Composite(f, self.regularizer(parameter)) for parameter in self.parameters]

    @cached_property
    def slopes_at_zero(self) -> np.ndarray:
        """The gradient of f at 0; its largest entry is the weight from which on 0 is critical."""
        f = self.data_term()
        return f.grad(f.start())


def lasso(seed: int) -> Case:
    """Lasso, 500 x 2000."""
    data = instances.gaussian(500, 2000, 20, correlation=0.5, snr=5.0, seed=seed)
    return _single(
        "lasso",
        "lasso 500 x 2000, weight_max/20",
        data,
        "l1",
        20,
        goals=(
            Goal("parsimo CoordinateDescent", ("skglm AndersonCD", "celer"), 1.0),
            Goal("parsimo ProximalGradient", LIBRARIES_OF_PROXES, 0.1),
            Goal("parsimo ProximalADMM", LIBRARIES_OF_PROXES, 0.1),
        ),
    )


def logistic_l1(seed: int) -> Case:
    """Logistic loss and l1, 500 x 2000."""
    data = instances.logistic(500, 2000, 20, correlation=0.5, seed=seed)
    against = ("skglm ProxNewton", "celer", "scikit-learn liblinear")
    goals = (Goal("parsimo CoordinateDescent", against, 1.0),)
    return _single(
        "logistic-l1", "logistic + l1, 500 x 2000, weight_max/20", data, "l1", 20, loss="logistic", goals=goals
    )


def _concave(penalty: str, gamma: float, sparse: bool) -> Callable[[int], Case]:
    """MCP or SCAD, dense 1000 x 5000 or sparse 20,000 x 50,000."""

    def case(seed: int) -> Case:
        if sparse:
            data, size = _sparse(20_000, 50_000, 1e-3, 100, 5.0, seed), "sparse 20,000 x 50,000"
        else:
            data, size = instances.gaussian(1000, 5000, 50, correlation=0.5, snr=5.0, seed=seed), "dense 1000 x 5000"
        name = f"{penalty}-{'sparse' if sparse else 'dense'}"
        goals = (Goal("parsimo CoordinateDescent", ("skglm AndersonCD",), 1.0),)
        return _single(name, f"{penalty.upper()} {size}, weight_max/10", data, penalty, 10, gamma=gamma, goals=goals)

    return case


def mcp_path(seed: int) -> Case:
    """A path of 30 weights, to weight_max/100."""
    data = instances.gaussian(500, 1000, 20, correlation=0.5, snr=5.0, seed=seed)
    case = Case(
        "mcp-path",
        "MCP path 500 x 1000, 30 weights to weight_max/100",
        *_arrays(data),
        "mcp",
        parameters=(),
        gamma=MCP_GAMMA,
        goals=(Goal("parsimo path", ("skglm AndersonCD path",), 0.33),),
    )
    return _with(case, tuple(float(a) for a in _largest(case) * np.geomspace(1.0, 0.01, 30)))


def _subsets(name: str, columns: int, correlation: float) -> Callable[[int], Case]:
    """At most k nonzeros for k = 1, ..., 40; columns and targets of mean 0, so that an intercept changes nothing."""

    def case(seed: int) -> Case:
        data = instances.gaussian(500, columns, 20, correlation=correlation, snr=5.0, seed=seed)
        A, b, truth = _arrays(data)
        A, b = np.asfortranarray(A - A.mean(axis=0)), b - b.mean()
        description = f"zero norm, sizes 1 to 40, 500 x {columns}, correlation {correlation:g}"
        goals = (Goal("parsimo subset_path", ("abess",), 1.0),)
        return Case(name, description, A, b, truth, "subset", tuple(range(1, 41)), goals=goals)

    return case


CASES: Mapping[str, Callable[[int], Case]] = {
    "lasso": lasso,
    "logistic-l1": logistic_l1,
    "mcp-dense": _concave("mcp", MCP_GAMMA, sparse=False),
    "scad-dense": _concave("scad", SCAD_GAMMA, sparse=False),
    "mcp-sparse": _concave("mcp", MCP_GAMMA, sparse=True),
    "scad-sparse": _concave("scad", SCAD_GAMMA, sparse=True),
    "mcp-path": mcp_path,
    "subsets-1000": _subsets("subsets-1000", 1000, 0.5),
    "subsets-8000": _subsets("subsets-8000", 8000, 0.7),
}
"""Every case: its name, and what draws it from a seed."""


def _single(name: str, description: str, data: Any, penalty: str, divisor: float, **options: Any) -> Case:
    case = Case(name, description, *_arrays(data), penalty, parameters=(), **options)
    return _with(case, (_largest(case) / divisor,))


def _with(case: Case, parameters: tuple[float, ...]) -> Case:
    return Case(**{**{name: getattr(case, name) for name in case.__dataclass_fields__}, "parameters": parameters})


def _largest(case: Case) -> float:
    return float(np.abs(case.slopes_at_zero).max())


def _arrays(data: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """(A, b, truth), A by columns: in CSC, which skglm takes for granted, or in Fortran order."""
    A = data.f.design.A
    return sp.csc_matrix(A) if sp.issparse(A) else np.asfortranarray(A), np.asarray(data.f.targets), data.truth


def _sparse(rows: int, columns: int, density: float, nonzeros: int, snr: float, seed: int) -> Any:
    """A sparse design of normal entries whose columns have length sqrt(rows), as skglm's users scale them."""
    rng = np.random.default_rng(seed)
    A = sp.random(rows, columns, density, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    lengths = np.sqrt(np.asarray(A.multiply(A).sum(axis=0)).ravel())
    A = sp.csc_matrix(A @ sp.diags(np.sqrt(rows) / np.where(lengths > 0, lengths, np.sqrt(rows))))
    truth = np.zeros(columns)
    truth[rng.choice(columns, nonzeros, replace=False)] = rng.choice([-1.0, 1.0], nonzeros)
    signal = A @ truth
    noise = float(np.sqrt(np.mean(signal**2) / snr))
    b = signal + noise * rng.standard_normal(rows)
    return instances.Instance("sparse", ps.LeastSquares(A, b, average=True), truth, noise, "sparse design")
