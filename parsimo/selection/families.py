"""Families of penalties: one for each weight, for a path to run through."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from parsimo._array import to_numpy
from parsimo.core.functions import Proximable
from parsimo.core.validation import check_number, check_positive
from parsimo.penalties import L1, MCP, SCAD, CappedL1, ZeroNorm
from parsimo.penalties.even import FlatPenalty

__all__ = ["Family", "FlatPoint", "NAMES", "family_of", "gentler", "named"]

FlatPoint = Literal["fixed", "scaled"]
NAMES = ("l1", "zero-norm", "mcp", "scad", "capped-l1")
_GAMMAS = {"mcp": 3.0, "scad": 3.7, "capped-l1": 3.0}


@dataclass(frozen=True, eq=False)
class Family:
    """The penalties g_w, w >= 0, of which `template` is the one at w = 1.

    With `flat_point="fixed"` g_w is w times the template. With "scaled" the flat point grows with the square root of
    w. Then a^2 / weight is the same all along a path, and so are what statisticians call gamma, the regime of a
    prox at a given step, and the exactness test a^2 L < kappa weight of docs/theory.md, Theorem 3.3.

    Parameters
    ----------
    template : Proximable
        With a `weight`, or made of penalties of which one has. Weights that differ from coordinate to coordinate keep
        their ratios; ridges, boxes and codebooks stay as they are.
    flat_point : "fixed" or "scaled"
        "scaled" needs a flat point somewhere in the template.

    Raises
    ------
    TypeError
        If there is no weight to change, or no flat point to scale.

    Notes
    -----
    docs/theory.md, Proposition 12.2: g_w does not fall as w grows, if the template is concave in |x|.

    Examples
    --------
    >>> Family(MCP.from_alpha_gamma(1.0, gamma=3.0), flat_point="scaled")(4.0).to_alpha_gamma()
    (2.0, 3.0)
    """

    template: Any
    flat_point: FlatPoint = "fixed"

    def __post_init__(self) -> None:
        if self.flat_point not in ("fixed", "scaled"):
            raise ValueError(f'Family: flat_point must be "fixed" or "scaled", got {self.flat_point!r}')
        if isinstance(self.template, type) or not isinstance(self.template, Proximable):
            raise TypeError(f"Family: template must be a penalty such as MCP(1.0, 0.5), got {self.template!r}")
        weighted = _each_weighted(self.template, lambda g: g)
        if not weighted:
            raise TypeError(f"Family: {self.template!r} has no weight to change; a path needs a penalty with one")
        if self.flat_point == "scaled" and not any(isinstance(g, FlatPenalty) for g in weighted):
            raise TypeError(f'Family: {self.template!r} has no flat point to scale; take flat_point="fixed"')

    def __call__(self, weight: float) -> Any:
        """g_w for w = weight; at 0 the flat point, which then says nothing, is the template's."""
        weight = check_number(weight, "Family: weight")
        stretch = math.sqrt(weight) if self.flat_point == "scaled" and weight > 0 else 1.0
        return _changed(self.template, lambda g: _stretched(g, weight, stretch))


def named(name: str, gamma: float | None = None, flat_point: float | None = None, curvature: float = 1.0) -> Family:
    """A family by its name.

    Parameters
    ----------
    name : str
        "l1", "zero-norm", "mcp", "scad" or "capped-l1".
    gamma : float, optional
        Where neither is given, or this: the flat point is gamma times the slope at 0 over the curvature, for every
        weight. By default 3 for MCP and capped l1, 3.7 for SCAD.
    flat_point : float, optional
        The flat point, the same for every weight.
    curvature : float
        Of f along a coordinate, positive. Statisticians write gamma for columns of length 1, where it is 1.

    Raises
    ------
    ValueError
        If there is no such name, both are given, or either where the penalty has no flat point.
    """
    if name not in NAMES:
        raise ValueError(f"penalty must be one of {', '.join(NAMES)}, or a penalty object, got {name!r}")
    if name not in _GAMMAS:
        if gamma is not None or flat_point is not None:
            raise ValueError(f"penalty {name!r} has no flat point; leave gamma and flat_point out")
        return Family(L1(1.0) if name == "l1" else ZeroNorm(1.0))
    if gamma is not None and flat_point is not None:
        raise ValueError(f"give gamma={gamma} or flat_point={flat_point}, not both")
    gamma = check_number(_GAMMAS[name] if gamma is None else gamma, "gamma", positive=True)
    if name == "scad" and gamma <= 1:
        raise ValueError(f"gamma must be > 1 for SCAD, got {gamma}")
    # of the penalty of weight 1 the slope at 0 is share / a, and a is gamma times that over the curvature
    share = {"mcp": 2.0, "scad": 2 * gamma / (gamma + 1), "capped-l1": 1.0}[name]
    kinds = {"mcp": MCP, "scad": SCAD, "capped-l1": CappedL1}
    a = math.sqrt(gamma * share / check_number(curvature, "curvature", positive=True))
    a = a if flat_point is None else check_number(flat_point, "flat_point", positive=True)
    template = SCAD(1.0, a, gamma) if name == "scad" else kinds[name](1.0, a)
    return Family(template, "scaled" if flat_point is None else "fixed")


def family_of(penalty: Any, flat_point: FlatPoint | None = None, f: Any = None) -> Callable[[float], Any]:
    """A name, a penalty that is the template, or a function of the weight, as a family.

    A name takes the largest curvature of f along a coordinate into account, where f states one.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or `flat_point` is given beside a name, a family or a function, which settle it.
    """
    if not isinstance(penalty, str | Family) and isinstance(penalty, Proximable) and not isinstance(penalty, type):
        return Family(penalty, "fixed" if flat_point is None else flat_point)
    if not isinstance(penalty, str) and not callable(penalty):
        raise TypeError(
            f"a path needs a penalty, a name such as 'mcp', or a function from weight to penalty, got {penalty!r}"
        )
    if flat_point is not None:
        raise ValueError(f"flat_point={flat_point!r} is for a penalty as template; {penalty!r} settles it itself")
    return named(penalty, curvature=_largest_curvature(f)) if isinstance(penalty, str) else penalty


def gentler(penalty: Any, factor: float) -> Any:
    """The penalty with weight and flat point multiplied: the same slope at 0, `factor` times less curvature.

    It lies above the penalty, and tends to an l1 norm as the factor grows (docs/theory.md, Proposition 12.3). Parts
    without a flat point stay as they are.
    """
    factor = check_number(check_positive(factor, "anneal"), "anneal")
    return _changed(penalty, lambda g: _stretched(g, factor, factor) if isinstance(g, FlatPenalty) else g)


def _largest_curvature(f: Any) -> float:
    """Of f along a coordinate, or L; 1 where f states neither, or does not bend."""
    stated = getattr(f, "coordinate_curvature", None)
    stated = getattr(f, "lipschitz", None) if stated is None else stated
    largest = 0.0 if stated is None else float(np.max(to_numpy(stated)))
    return largest if 0 < largest < math.inf else 1.0


def _stretched(penalty: Any, weight: float, flat_point: float) -> Any:
    changes = {"weight": weight * penalty.weight}
    if flat_point != 1.0 and isinstance(penalty, FlatPenalty):
        changes["flat_point"] = flat_point * penalty.flat_point
    return replace(penalty, **changes)


def _changed(penalty: Any, change: Callable[[Any], Any]) -> Any:
    """The penalty with a change made to each of its parts that have a weight."""
    if hasattr(penalty, "weight"):
        return change(penalty)
    if hasattr(penalty, "penalty"):
        return replace(penalty, penalty=_changed(penalty.penalty, change))
    if hasattr(penalty, "penalties"):
        return replace(penalty, penalties=tuple(_changed(part, change) for part in penalty.penalties))
    return penalty


def _each_weighted(penalty: Any, look: Callable[[Any], Any]) -> list[Any]:
    found: list[Any] = []
    _changed(penalty, lambda g: found.append(g) or g)  # type: ignore[func-returns-value]
    return found
