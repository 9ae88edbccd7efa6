"""How errors are planted: a class with methods replaced, a member altered, a constant too good by a factor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from parsimo.theory_checks import Evidence


def fault(base: type, **members: Any) -> type:
    """`base` with some members replaced."""
    return dataclasses.dataclass(frozen=True, eq=False)(type(f"Faulty{base.__name__}", (base,), members))


def altered(member: Any, **attributes: Any) -> Any:
    """A member of a family with some attributes replaced; its other methods call them."""
    namespace = {k: property(lambda self, v=v: v) if not callable(v) else v for k, v in attributes.items()}
    cls = type(f"Faulty{type(member).__name__}", (type(member),), namespace)
    return cls(*(getattr(member, f.name) for f in dataclasses.fields(member)))


def times(factor: float, bound: Callable[..., float]) -> Callable[..., float]:
    return lambda *arguments: factor * bound(*arguments)


def fails(evidence: Evidence) -> bool:
    """Whether the check has seen it, beyond rounding."""
    assert evidence.verdict == "fails", evidence
    assert evidence.margin < -1e-10, evidence
    return True
