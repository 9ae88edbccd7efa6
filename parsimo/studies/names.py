"""From names in a configuration to objects: what is unknown is told, with what there is."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

import parsimo as ps
from parsimo import penalties, solvers
from parsimo.core import Zero

__all__ = [
    "MEMBERS",
    "PENALTIES",
    "SOLVERS",
    "check_numbers",
    "check_parameters",
    "choices",
    "construct",
    "one_of",
    "require",
]

T = TypeVar("T")


def _has_defaults(part: Any) -> bool:
    """Whether a dataclass holds hyperparameters: what a run returns has none by default."""
    return all(each.default is not MISSING or each.default_factory is not MISSING for each in fields(part))


SOLVERS: Mapping[str, Callable[..., Any]] = {each.__name__: each for each in solvers.REGISTRY}
PENALTIES: Mapping[str, Callable[..., Any]] = {
    each.__name__: each for each in (*penalties.REGISTRY, penalties.ZeroNormBall, Zero, ps.ClusteringProblem)
}
"""Penalties, and the problem that brings its own."""
MEMBERS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each for each in (ps.phi.mcp, ps.phi.scad, ps.phi.capped_l1, ps.phi.power, ps.phi.log, ps.phi.lq)
}
"""Generators of surrogates of the zero norm."""
_PARTS: Mapping[str, Callable[..., Any]] = {
    name: part
    for name, part in ((name, getattr(solvers, name)) for name in solvers.__all__)
    if inspect.isclass(part) and is_dataclass(part) and _has_defaults(part)
}
"""Solvers and what they are made of: rules for steps, accelerations, x-steps."""


def one_of(known: Mapping[str, T], name: Any, where: str) -> T:
    """The entry of that name.

    Raises
    ------
    ValueError
        If there is none; lists those there are, and a near one.
    """
    if isinstance(name, str) and name in known:
        return known[name]
    raise ValueError(f"{where} = {name!r} is unknown; {choices(name, known)}")


def choices(name: Any, known: Iterable[str]) -> str:
    """What to write instead of a name."""
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}choose one of {', '.join(known)}"


def construct(make: Callable[..., T], parameters: Mapping[str, Any], where: str, given: Iterable[str] = ()) -> T:
    """make(**parameters): a table with a `name` becomes the part of a solver of that name, and a list an array.

    Parameters
    ----------
    make : callable
    parameters : mapping
        As read from TOML.
    where : str
        The key of the configuration, for errors.
    given : iterable of str
        Parameters that the configuration may not set, since they are set elsewhere.

    Raises
    ------
    ValueError
        If a parameter is unknown, missing, or refused by `make`.
    """
    check_parameters(make, parameters, where, given)
    built = {name: _value(value, f"{where}.{name}") for name, value in parameters.items()}
    try:
        return make(**built)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error


def check_parameters(make: Callable[..., Any], names: Iterable[str], where: str, given: Iterable[str] = ()) -> None:
    """Refuse parameters that `make` does not take, and the lack of one that it needs; raises as `construct` does."""
    takes = {n: p for n, p in inspect.signature(make).parameters.items() if n not in given}
    for name in names:
        if name not in takes:
            raise ValueError(
                f"{where}.{name} is no parameter of {_called(make)}; {choices(name, takes) or 'it has none'}"
            )
    missing = [name for name, p in takes.items() if p.default is p.empty and name not in set(names)]
    if missing:
        raise ValueError(f"{where}: {_called(make)} needs {', '.join(missing)}; add it")


def check_numbers(make: Callable[..., Any], parameters: Mapping[str, Any], where: str) -> None:
    """Refuse what is no number, or no count, for a function whose parameters are counts and numbers.

    What else a number must satisfy, the function says itself when it is called.
    """
    annotated = inspect.get_annotations(make, eval_str=True)
    for name, value in parameters.items():
        kind = annotated.get(name)
        if kind is int and not (type(value) is int and value >= 0):
            raise ValueError(f"{where}.{name} = {value!r} must be an integer >= 0")
        if kind is float and (type(value) not in (int, float) or value != value):
            raise ValueError(f"{where}.{name} = {value!r} must be a number")


def _value(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        if "name" not in value:
            raise ValueError(f"{where} is a table without a name; choose one of {', '.join(_PARTS)}")
        rest = {name: each for name, each in value.items() if name != "name"}
        return construct(one_of(_PARTS, value["name"], f"{where}.name"), rest, where)
    return np.asarray(value) if isinstance(value, list) else value


def _called(make: Callable[..., Any]) -> str:
    return getattr(make, "__name__", repr(make))


def require(name: str) -> Any:
    """A package of the extra `studies`, imported when it is needed.

    Raises
    ------
    ImportError
        If it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'studies need {name.partition(".")[0]}: pip install "parsimo[studies]"') from error
