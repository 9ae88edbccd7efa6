"""No penalty escapes the laws."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from penalty_cases import MAKERS, random_cases

import parsimo as ps
from parsimo import penalties
from parsimo.penalties import REGISTRY
from parsimo.theory_checks import PENALTIES

COMPOSITES = {"SeparableSum", "ClusterSpread", "Group", "Spectral", "WithRidge", "ZeroNormBall"}
"""Made of other penalties, or not separable; they have tests of their own."""


def public_penalties() -> dict[str, type]:
    found = {}
    for module in pkgutil.iter_modules(penalties.__path__, penalties.__name__ + "."):
        for name, item in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(item) and item.__module__ == module.name and hasattr(item, "prox"):
                found[name] = item
    return {n: c for n, c in found.items() if not n.startswith("_") and not inspect.isabstract(c)}


def test_every_penalty_is_in_the_registry():
    assert set(public_penalties()) - COMPOSITES == {c.__name__ for c in REGISTRY}
    assert set(public_penalties()) >= COMPOSITES


def test_every_penalty_of_the_registry_is_exported():
    for cls in REGISTRY:
        assert getattr(ps, cls.__name__) is cls


def test_every_penalty_of_the_registry_meets_the_laws_and_the_theory_checks():
    for cls in REGISTRY:
        for cases in (
            [make(1.0) for make in MAKERS.values()],
            [g for g, _ in random_cases(1)],
            [g for g, _ in PENALTIES.values()],
        ):
            assert any(type(g) is cls for g in cases), cls
