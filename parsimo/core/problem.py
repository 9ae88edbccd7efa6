"""What a solver sees: f smooth, g proximable, and g's auxiliary variables where it has them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from parsimo._array import Array, all_finite, array_namespace, norm
from parsimo.core.functions import Certifiable, Smooth
from parsimo.core.validation import check_vector

__all__ = [
    "Composite",
    "PlainPenalty",
    "Problem",
    "certificate",
    "check_smooth",
    "count_nonzero",
    "natural_residual",
    "starting_point",
]


class Problem(Protocol):
    """Minimize f(x) + R(x) with R(x) = min over u of G(x, u).

    u stands for the auxiliary variables: the complementarity variable w of the zero-norm MPEC, the assignment to
    clusters, or None where R is a plain penalty. Proximal gradient and P-ADMM work on x through `prox`,
    alternating minimization on (x, u) through `given` and `auxiliary`.
    """

    @property
    def f(self) -> Smooth:
        """The smooth part."""

    def value(self, x: Array, u: Any = None) -> float:
        """f(x) + G(x, u); with u None, f(x) + R(x)."""

    def prox(self, v: Array, step_size: float, u: Any = None) -> tuple[Array, Any]:
        """(x, u) minimizing G(x, u) + |x - v|^2 / (2 step_size); where that is found by descent, from u on."""

    def auxiliary(self, x: Array, u: Any = None) -> Any:
        """A u minimizing G(x, .), never worse than the given one."""

    def given(self, u: Any) -> Certifiable:
        """G(., u), whose subdifferential at x, for u = auxiliary(x), contains every regular subgradient of R there."""

    def describe(self, x: Array, u: Any = None) -> dict[str, float | int | str]:
        """What a result reports about x beside its objective."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of a result must know of the problem."""


class PlainPenalty:
    """The `Problem` that minimizes f(x) + g(x) for attributes f and g, with no auxiliary variables."""

    f: Any
    g: Any

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_smooth(owner, self.f)
        _check_offers(owner, self.g, "g", "penalty", ("value", "prox", "traits", "subdiff_distance"))

    def value(self, x: Array, u: Any = None) -> float:
        """f(x) + g(x)."""
        return self.f.value(x) + self.g.value(x)

    def prox(self, v: Array, step_size: float, u: Any = None) -> tuple[Array, Any]:
        """prox of g, and u unchanged."""
        return self.g.prox(v, step_size), u

    def auxiliary(self, x: Array, u: Any = None) -> Any:
        """None: a plain penalty has no auxiliary variables."""
        return None

    def given(self, u: Any) -> Any:
        """g itself."""
        return self.g

    def describe(self, x: Array, u: Any = None) -> dict[str, float | int | str]:
        """The support size."""
        return {"|x|_0": count_nonzero(x)}

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing to add."""
        return ()


@dataclass(frozen=True, eq=False)
class Composite(PlainPenalty):
    """The plain problem: minimize f(x) + g(x).

    Parameters
    ----------
    f : Smooth
        With `value`, `grad`, `value_and_grad` and `lipschitz`.
    g : Proximable
        With `value`, `prox`, `traits` and, for certificates, `subdiff_distance`.

    Raises
    ------
    TypeError
        If f or g lacks one of these, naming what is missing.
    """

    f: Any
    g: Any


def certificate(problem: Problem, x: Array, u: Any = None) -> float:
    """dist(0, grad f(x) + subdifferential of G(., u) at x) with u = auxiliary(x), from the problem alone.

    It bounds the distance of 0 from the limiting subdifferential of f + R wherever that of R is the one of
    G(., u); 0 means that x is a critical point (docs/theory.md, Proposition 6.4). NaN where the gradient of f is
    not finite: on the end of a box even an infinite one would pass.
    """
    u, grad = problem.auxiliary(x, u), problem.f.grad(x)
    return problem.given(u).subdiff_distance(x, grad) if all_finite(grad) else math.nan


def natural_residual(problem: Problem, x: Array, step_size: float, u: Any = None) -> float:
    """|x - prox(x - t grad f(x))| / t at t = step_size.

    0 means that x is prox-stationary at this step, which is stronger than critical for a nonconvex penalty:
    for the zero norm it is L-stationarity.
    """
    forward = x - step_size * problem.f.grad(x)
    return norm(x - problem.prox(forward, step_size, u)[0]) / step_size


def starting_point(problem: Problem, x0: Array | None) -> Array:
    """A copy of x0, checked against the smooth part; where x0 is None, the smooth part's own start.

    Raises
    ------
    ValueError
        If x0 is missing and f offers no start, has another shape than f takes, or has NaN or infinite entries.
    TypeError
        If x0 is of another array library or dtype than f's data.
    """
    own_start = getattr(problem.f, "start", None)
    like = own_start() if callable(own_start) else None
    if x0 is None:
        x = problem.start() if hasattr(problem, "start") else like
        if x is None:
            raise ValueError(f"{problem.f!r} offers no start(); pass x0")
    else:
        given = check_vector(x0, "x0", size=None if like is None else like.shape[0])
        if like is not None and array_namespace(given) is not array_namespace(like):
            raise TypeError(f"x0 is a {type(given).__module__} array, but the data of f is {type(like).__module__}'s")
        if like is not None and given.dtype != like.dtype:
            raise TypeError(f"x0 has dtype {given.dtype}, but the data of f has {like.dtype}; cast x0")
        x = array_namespace(given).asarray(given, copy=True)
    if hasattr(problem, "check_start"):
        problem.check_start(x)
    return x


def count_nonzero(x: Array) -> int:
    """|x|_0."""
    xp = array_namespace(x)
    return int(xp.count_nonzero(x))


def check_smooth(owner: str, f: Any) -> None:
    """Refuse an f that is no smooth part, with a TypeError that names what it lacks."""
    _check_offers(owner, f, "f", "smooth part", ("value", "grad", "value_and_grad", "lipschitz"))


def _check_offers(owner: str, part: Any, name: str, role: str, methods: tuple[str, ...]) -> None:
    # asked of the class first: a constant such as `lipschitz` may be dear, and is not to be computed for this
    missing = [m for m in methods if not (hasattr(type(part), m) or hasattr(part, m))]
    if missing or isinstance(part, type):
        lacks = f"it lacks {', '.join(missing)}" if missing else "it is a class; pass an object"
        raise TypeError(f"{owner}: {name}={part!r} cannot be the {role}: {lacks}")
