"""The exact penalty of the zero-norm MPEC, and the thresholds from which on it is exact."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_float, to_numpy
from parsimo.core.problem import count_nonzero
from parsimo.core.validation import check_nonnegative, check_number
from parsimo.penalties import L1
from parsimo.problems.phi import Phi
from parsimo.problems.surrogate import SurrogateProblem, surrogate_gap

__all__ = ["Exactness", "PenalizedMPEC", "exactness_of"]

_MARGIN = 1e-3  # relative distance kept from a threshold, all of which are strict or tight
_JOINT = "Theorem 3.11 (Lipschitz and curvature)"


@dataclass(frozen=True)
class Exactness:
    """Why, or why not, a penalty parameter makes the penalized problem equivalent to the zero-norm problem."""

    rho: float
    """The penalty parameter in use."""
    flat_point: float
    """phi'(1-) / rho: the surrogate is flat from here on."""
    threshold: float | None
    """The smallest threshold on rho among the theorems whose hypotheses hold; None when none does."""
    statement: str
    """The theorem behind the threshold, as numbered in docs/theory.md, with its constants."""

    @property
    def exact(self) -> bool:
        """Whether rho exceeds a proven threshold. False means not proven, or proven not to suffice."""
        return self.threshold is not None and self.rho > self.threshold

    def __str__(self) -> str:
        if self.exact:
            return f"exact: rho = {self.rho:.6g} > {self.threshold:.6g}, {self.statement}"
        if self.threshold is None:
            return f"not proven exact: rho = {self.rho:.6g}; {self.statement}"
        return f"not exact: rho = {self.rho:.6g} <= {self.threshold:.6g}, {self.statement}"


def exactness_of(f: Any, weight: float | Array, phi: Phi, rho: float | Literal["exact"]) -> Exactness:
    """The sharpest threshold that f's known constants prove, and rho measured against it.

    f may know a coordinatewise Lipschitz constant l_i, a bound L_i on the curvature along each coordinate, or both.
    With kappa = phi.curvature_margin, the flat point a = phi'(1-) / rho must, for each penalized coordinate, be less
    than the largest of

        weight_i / l_i                                               Theorem 3.1
        sqrt(kappa weight_i / L_i)                                   Theorem 3.3
        sqrt(kappa / 2) [weight_i / l_i + l_i / (2 L_i)]             Theorem 3.11, where l_i^2 <= 2 weight_i L_i

    The result names the theorem that yields the threshold by itself, or else Theorem 3.11, which lets each coordinate
    take its own. Where f names a `domain`, a set closed under setting coordinates to 0 on which l_i holds, Theorem 3.1
    alone is used: the others need whole lines.

    Raises
    ------
    ValueError
        If rho is "exact" and f gives neither constant, or rho is not positive.
    TypeError
        If rho is neither a number nor "exact".
    """
    weights = to_numpy(weight).astype(np.float64)
    slope = phi.slope_at_one
    l, domain = getattr(f, "coordinate_lipschitz", None), getattr(f, "domain", None)
    curvature = None if domain and l is not None else getattr(f, "coordinate_curvature", None)
    given = _number(rho)
    if l is None and curvature is None:
        if given is None:
            raise ValueError(
                f'penalize(rho="exact"): {f!r} gives neither coordinate_lipschitz nor coordinate_curvature, so no '
                "theorem yields a threshold; pass a number for rho, or add one of the two attributes to f"
            )
        reason = "f gives neither a coordinatewise Lipschitz constant nor a curvature bound"
        return Exactness(given, slope / given, None, reason)

    limits, constants = _limits(l, curvature, weights, phi)
    penalized = np.broadcast_arrays(weights, *limits.values())[0] > 0
    least = {name: float(np.where(penalized, limit, math.inf).min()) for name, limit in limits.items()}
    joint = float(np.where(penalized, np.max(np.broadcast_arrays(*limits.values()), axis=0), math.inf).min())
    theorem = next((name for name, limit in least.items() if limit == joint), _JOINT)
    threshold = slope / joint
    smallest = (1 + _MARGIN) * threshold if threshold > 0 else slope
    chosen = smallest if given is None else given
    where = f" {domain}" if domain else ""
    return Exactness(chosen, slope / chosen, threshold, f"{theorem}: {constants}{where}, phi'(1-) = {slope:.6g}")


def _number(rho: Any) -> float | None:
    """rho as a number; None for "exact"."""
    if isinstance(rho, str) and rho == "exact":
        return None
    if isinstance(rho, str) or rho is None:
        raise TypeError(f'penalize: rho must be a finite number > 0, or "exact", got {rho!r}')
    return check_number(rho, "penalize: rho", positive=True)


def _limits(l: Any, curvature: Any, weights: np.ndarray, phi: Phi) -> tuple[dict[str, np.ndarray], str]:
    """The limits of the flat point, coordinate by coordinate, by theorem; and the constants in words."""
    limits: dict[str, np.ndarray] = {}
    constants = []
    if l is not None:
        l = to_numpy(l).astype(np.float64)
        limits["Theorem 3.1 (Lipschitz)"] = _quotient(weights, l)
        constants.append(f"max l_i = {l.max():.6g}")
    if curvature is not None:
        L, kappa = to_numpy(curvature).astype(np.float64), phi.curvature_margin
        limits["Theorem 3.3 (curvature)"] = np.sqrt(kappa * _quotient(weights, L))
        constants.append(f"max L_i = {L.max():.6g}, kappa = {kappa:.6g}")
    if l is not None and curvature is not None:
        both = math.sqrt(kappa / 2) * (_quotient(weights, l) + _quotient(l, 2 * L))
        limits[_JOINT] = np.where(l * l <= 2 * weights * L, both, 0.0)
    return limits, ", ".join(constants)


def _quotient(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, infinity where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, math.inf), where=denominator > 0)


@dataclass(frozen=True, eq=False)
class PenalizedMPEC:
    """Minimize f(x) + weight * [sum phi(w_i) + rho <1 - w, |x|>] over x and 0 <= w <= 1.

    A two-block problem: alternating minimization works on (x, w), where the x-block is a weighted l1 problem;
    proximal gradient and P-ADMM work on x with w eliminated.

    Parameters
    ----------
    f : Smooth
    weight : float or array of the shape of x
    phi : Phi
    exactness : Exactness
        rho, and what is known about it.
    mpec : MPEC
        The problem this one penalizes.
    """

    f: Any
    weight: float | Array
    phi: Phi
    exactness: Exactness
    mpec: Any

    def __post_init__(self) -> None:
        check_nonnegative(self.weight, "PenalizedMPEC: weight")

    @property
    def rho(self) -> float:
        """The penalty parameter."""
        return self.exactness.rho

    @property
    def _surrogate_penalty(self) -> Any:
        return self.phi.penalty(self.weight, self.exactness.flat_point)

    def eliminate(self) -> SurrogateProblem:
        """Minimize over w in closed form (2.2): the Lipschitz surrogate, a problem in x alone."""
        return SurrogateProblem(self.f, self._surrogate_penalty, self)

    def value(self, x: Array, u: Array | None = None) -> float:
        """f(x) + weight * [sum phi(w) + rho <1 - w, |x|>], at w = u or at the best w."""
        xp = array_namespace(x)
        w = self.auxiliary(x) if u is None else u
        terms = self.phi.value(w) + self.rho * (1 - w) * xp.abs(x)
        return self.f.value(x) + to_float(xp.sum(asarray_like(self.weight, x) * terms))

    def prox(self, v: Array, step_size: float, u: Any = None) -> tuple[Array, Array]:
        """Jointly in (x, w): the prox of the surrogate, then w(x)."""
        x = self._surrogate_penalty.prox(v, step_size)
        return x, self.auxiliary(x)

    def auxiliary(self, x: Array, u: Any = None) -> Array:
        """w(x) = argmin over 0 <= w <= 1 of phi(w) + rho (1 - w) |x|, coordinatewise."""
        return self.phi.maximizer(self.rho * array_namespace(x).abs(x))

    def given(self, u: Array) -> L1:
        """The weighted l1 norm sum weight rho (1 - w_i) |x_i| (its constant part, in w alone, is left out)."""
        return L1(asarray_like(self.weight, u) * self.rho * (1 - u))

    def describe(self, x: Array, u: Array | None = None) -> dict[str, float | int | str]:
        """Support size, complementarity residual <1 - w, |x|> and surrogate gap."""
        w = self.auxiliary(x) if u is None else u
        return {
            "|x|_0": count_nonzero(x),
            "complementarity": self.mpec.complementarity(x, w),
            "surrogate gap": surrogate_gap(self.weight, self._surrogate_penalty, x),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether the penalty is exact, and by which theorem."""
        return (str(self.exactness),)
