"""What is to become of which parameters: plans, and the parameters that they are matched to."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from parsimo.core.validation import check_number
from parsimo.penalties import MCP
from parsimo.penalties.even import EvenPenalty

__all__ = ["Plan", "Sparse", "Target", "match"]


@dataclass(frozen=True)
class Sparse:
    """A share of the weights becomes exactly 0.

    Parameters
    ----------
    penalty : EvenPenalty
        `ZeroNorm`, `L1`, `CappedL1`, `MCP` or `SCAD`, whose prox chooses them; its weight is set on the way, so that
        the budget is met, and its flat point is kept.
    budget : float
        The share of zeros at the end, in [0, 1): reached to the nearest count.
    scope : "global" or "tensor"
        Whether the share is one of all weights together, or of each tensor.
    floor, cap : float
        0 <= floor < cap <= 1: of each tensor at least and at most this share is kept, so that no layer collapses.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its kind, or floors and caps leave no way to meet the budget.
    """

    penalty: EvenPenalty = field(default_factory=lambda: MCP(weight=1.0, flat_point=0.05))
    budget: float = 0.95
    scope: Literal["global", "tensor"] = "global"
    floor: float = 0.0
    cap: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, EvenPenalty) or not isinstance(self.penalty.weight, float):
            raise TypeError(
                "Sparse: penalty must be ZeroNorm, L1, CappedL1, MCP or SCAD with a scalar weight, "
                f"got {self.penalty!r}"
            )
        for name in ("budget", "floor", "cap"):
            object.__setattr__(self, name, check_number(getattr(self, name), f"Sparse: {name}"))
        if not self.budget < 1:
            raise ValueError(
                f"Sparse: budget must lie in [0, 1), got {self.budget}: a network of zeros computes nothing"
            )
        if self.scope not in ("global", "tensor"):
            raise ValueError(f"Sparse: scope must be 'global' or 'tensor', got {self.scope!r}")
        if not self.floor < self.cap <= 1:
            raise ValueError(f"Sparse: 0 <= floor < cap <= 1 must hold, got floor = {self.floor} and cap = {self.cap}")
        kept = 1 - self.budget
        if not self.floor <= kept <= self.cap:
            raise ValueError(
                f"Sparse: budget = {self.budget} keeps a share of {kept:.3g}, but every tensor is to keep between "
                f"floor = {self.floor} and cap = {self.cap}"
            )


Plan = Mapping["str | type[nn.Module]", Sparse]
"""Patterns of parameter names, such as "*.weight", or classes of modules, with what becomes of what they match."""


@dataclass(frozen=True, eq=False)
class Target:
    """The parameters that one entry of a plan is about."""

    sparse: Sparse
    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many weights each has."""
        return tuple(p.numel() for p in self.parameters)


def match(model: nn.Module, plan: Plan) -> list[Target]:
    """The targets of a plan.

    A pattern matches names as a shell does file names; a class of modules matches their parameters. Parameters of
    fewer than two dimensions (biases, scales of a normalization) are passed over unless named in full, frozen ones
    always. A parameter under two names is one.

    Raises
    ------
    TypeError, ValueError
        If an entry is not of its kind, matches nothing that can be pruned, or two entries match one parameter.
    """
    if not isinstance(plan, Mapping) or not plan:
        raise TypeError(
            f'compress: the plan must map patterns to Sparse(...), such as {{"*.weight": Sparse()}}, got {plan!r}'
        )
    named: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        named.setdefault(id(parameter), []).append(name)
    parameters = {id(p): p for p in model.parameters()}
    taken: dict[int, Any] = {}
    targets = []
    for key, sparse in plan.items():
        if not isinstance(sparse, Sparse):
            raise TypeError(f"compress: the plan holds {sparse!r} for {key!r}; it must be Sparse(...)")
        chosen = _matching(model, key, named)
        eligible = [i for i in chosen if parameters[i].requires_grad and (parameters[i].ndim >= 2 or key in named[i])]
        if not eligible:
            raise ValueError(f"compress: {_why_nothing(key, [parameters[i] for i in chosen], named)}")
        for i in eligible:
            if i in taken:
                raise ValueError(f"compress: {named[i][0]} is matched by {taken[i]!r} and by {key!r}; keep one of them")
            taken[i] = key
        names = tuple(named[i][0] for i in eligible)
        targets.append(Target(sparse, names, tuple(parameters[i] for i in eligible)))
    return targets


def _matching(model: nn.Module, key: Any, named: Mapping[int, list[str]]) -> list[int]:
    if isinstance(key, str):
        return [i for i, names in named.items() if any(fnmatch.fnmatchcase(name, key) for name in names)]
    if isinstance(key, type) and issubclass(key, nn.Module):
        owned = {id(p) for m in model.modules() if isinstance(m, key) for p in m.parameters(recurse=False)}
        return [i for i in named if i in owned]
    raise TypeError(f"compress: a key of the plan must be a pattern of names or a class of modules, got {key!r}")


def _why_nothing(key: Any, matched: list[nn.Parameter], named: Mapping[int, list[str]]) -> str:
    if not matched:
        names = [name for aliases in named.values() for name in aliases]
        return f"{key!r} matches no parameter; there are {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
    if not any(p.requires_grad for p in matched):
        return f"all {len(matched)} parameters that {key!r} matches are frozen; set requires_grad on some"
    return f"{key!r} matches only vectors, such as biases; name one in full if it is to be pruned"
