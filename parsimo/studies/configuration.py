"""The TOML file of a study, read and checked before anything runs."""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import parsimo as ps
from parsimo.problems import instances
from parsimo.studies.cell import Cell
from parsimo.studies.keys import Keys
from parsimo.studies.names import (
    MEMBERS,
    PENALTIES,
    SOLVERS,
    check_numbers,
    check_parameters,
    choices,
    construct,
    one_of,
)

__all__ = ["Study", "read_study"]

LOSSES = {"squares": ps.LeastSquares, "logistic": ps.Logistic}
STOP = {"certificate": 1e-8, "relative": 0.0, "iterations": 1000, "seconds": None, "stalled": 1000}
"""What ends a run, and by which number by default."""
_LIFTED = {"groups": "groups", "singular values": "low_rank"}
"""What a penalty may be on, and the instance that has these."""
_WEIGHT = re.compile(r"max(/(?=.*[1-9])\d+(\.\d*)?)?")  # not by 0


@dataclass(frozen=True)
class Study:
    """A grid of problems, sizes, seeds and solvers.

    Attributes
    ----------
    title : str
    cells : tuple of Cell
        The grid, problem by problem.
    tolerance : float
        A run has solved a cell when its certificate is at most this share of that at the start.
    text : str
        The file as it was read.
    """

    title: str
    cells: tuple[Cell, ...]
    tolerance: float
    text: str = field(repr=False)


def read_study(file: str | Path) -> Study:
    """Read and check the TOML file of a study; docs/studies.md says what it holds.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it does not parse or an entry is wrong; names the key, the value and what is allowed.
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; docs/studies.md shows how to write one")
    try:
        text = path.read_text(encoding="utf-8")
        return _study(tomllib.loads(text), text, path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}; save it so") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _study(content: Mapping[str, Any], text: str, path: Path) -> Study:
    top = Keys(content, "")
    title = top.take("title", str, path.stem)
    tolerance = top.number("tolerance", 1e-6)
    threads = top.whole("threads", 1)
    seeds = _seeds(content.get("seeds", 1))
    sizes = _sizes(top, "sizes") or [{}]
    stop = _stop(top.take("stop", dict, {}), STOP, "stop")
    problems = [
        _problem(each, f"problems[{i}]", sizes, path.parent) for i, each in enumerate(top.tables("problems", True))
    ]
    solvers = [_solver(each, f"solvers[{i}]", stop, problems) for i, each in enumerate(top.tables("solvers", True))]
    top.finish({"seeds"})
    for key, entries in (("problems", problems), ("solvers", solvers)):
        names = [each["name"] for each in entries]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{key}: the name {twice[0]!r} is given twice; add another name")
    cells = tuple(
        _cell(problem, size, seed, solver, threads, path.parent)
        for problem in problems
        for size, seed in itertools.product(problem["sizes"], seeds if problem["drawn"] else (0,))
        for solver in solvers
        if problem["name"] in solver["only"]
    )
    return Study(title, cells, tolerance, text)


def _cell(
    problem: Mapping[str, Any],
    size: Mapping[str, Any],
    seed: int,
    solver: Mapping[str, Any],
    threads: int,
    folder: Path,
) -> Cell:
    posed = dict(problem["configuration"])
    if problem["drawn"]:
        posed["parameters"] = posed["parameters"] | size
    configuration = {"problem": posed, "seed": seed, **solver["configuration"], "threads": threads}
    said = ", ".join(f"{name} {value}" for name, value in size.items())
    return Cell(problem["name"], said, seed, solver["name"], configuration, str(folder))


def _problem(entry: Mapping[str, Any], where: str, sizes: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    table = Keys(entry, where)
    drawn = "instance" in entry
    if drawn == ("data" in entry):
        raise ValueError(f"{where} must have either instance or data; give one of them")
    if drawn:
        own = _sizes(table, f"{where}.sizes") or sizes
        kind, parameters = table.take("instance", str), table.take("parameters", dict, {})
        make = one_of(instances.REGISTRY, kind, f"{where}.instance")
        for size in own:
            check_parameters(make, parameters | size, f"{where}.parameters", given=("seed",))
            check_numbers(make, parameters | size, f"{where}.parameters")
        source = {"instance": kind, "parameters": parameters}
    else:
        own, kind = [{}], "data"
        source = {"data": _data(table.take("data", dict), f"{where}.data", folder)}
    penalty = _penalty(table.take("penalty", dict), f"{where}.penalty", kind)
    name = table.take("name", str, f"{kind} {penalty['name']}")
    table.finish(("instance", "parameters", "sizes", "data"))
    return {"name": name, "drawn": drawn, "sizes": own, "configuration": {**source, "penalty": penalty}}


def _data(entry: Mapping[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """The table with a digest of its file, so that a changed file is another cell."""
    table = Keys(entry, where)
    if ("file" in entry) == ("sklearn" in entry):
        raise ValueError(f"{where} must have either file or sklearn; give one of them")
    source = "file" if "file" in entry else "sklearn"
    checked = {source: table.take(source, str), "loss": table.take("loss", str, "squares")}
    one_of(LOSSES, checked["loss"], f"{where}.loss")
    if "target" in entry:
        checked["target"] = table.take("target", (str, int))
    if "positive" in entry:
        checked["positive"] = table.number("positive", 0.0, least=None)
    table.finish(("file", "sklearn", "loss", "target", "positive"))
    if source == "file":
        path = folder / checked["file"]
        if not path.is_file():
            raise ValueError(
                f"{where}.file = {checked['file']!r}: there is no file {path}; it is looked for beside TOML"
            )
        checked["digest"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return checked


def _penalty(entry: Mapping[str, Any], where: str, kind: str) -> dict[str, Any]:
    """Checked by building it once, where its weight is a number, or with weight 1."""
    name = Keys(entry, where).take("name", str)
    make = one_of(PENALTIES, name, f"{where}.name")
    extras = {key: value for key, value in entry.items() if key in ("on", "ridge", "surrogate")}
    parameters = {key: value for key, value in entry.items() if key not in ("name", *extras)}
    weight = parameters.get("weight")
    if isinstance(weight, str):
        if not _WEIGHT.fullmatch(weight):
            raise ValueError(f'{where}.weight = {weight!r} must be a number, "max", or a share of it such as "max/20"')
        parameters["weight"] = 1.0
    if make is ps.ClusteringProblem:
        check_parameters(make, parameters, where, given=("f",))
        if extras or isinstance(weight, str):
            raise ValueError(
                f"{where}: ClusteringProblem takes a weight that is a number, and no on, ridge or surrogate"
            )
    else:
        construct(make, parameters, where)
    if "on" in extras and kind != one_of(_LIFTED, extras["on"], f"{where}.on"):
        raise ValueError(f"{where}.on = {extras['on']!r} needs the instance {_LIFTED[extras['on']]}, got {kind}")
    if "surrogate" in extras:
        one_of(MEMBERS, extras["surrogate"], f"{where}.surrogate")
        if name != "ZeroNorm" or len(extras) > 1:
            raise ValueError(
                f"{where}.surrogate is one of the zero norm alone; take name = 'ZeroNorm', no on, no ridge"
            )
    Keys(entry, where).number("ridge", 0.0)
    return dict(entry)


def _solver(
    entry: Mapping[str, Any], where: str, stop: Mapping[str, Any], problems: list[dict[str, Any]]
) -> dict[str, Any]:
    table = Keys(entry, where)
    kind, parameters = table.take("solver", str), table.take("parameters", dict, {})
    construct(one_of(SOLVERS, kind, f"{where}.solver"), parameters, f"{where}.parameters")
    name, every = table.take("name", str, kind), table.whole("every", 1)
    own = _stop(table.take("stop", dict, {}), stop, f"{where}.stop")
    known = [problem["name"] for problem in problems]
    only = table.take("only", list, known)
    if not only:
        raise ValueError(f"{where}.only is empty: the solver would run on nothing; name problems, or leave only out")
    for each in only:
        if each not in known:
            raise ValueError(f"{where}.only: there is no problem {each!r}; {choices(each, known)}")
    table.finish()
    configuration = {"solver": kind, "parameters": parameters, "stop": own, "every": every}
    return {"name": name, "only": only, "configuration": configuration}


def _stop(entry: Mapping[str, Any], default: Mapping[str, Any], where: str) -> dict[str, Any]:
    table = Keys(entry, where)
    rules = dict(default)
    for name in entry:
        if name in ("iterations", "stalled"):
            rules[name] = table.whole(name, 1)
        elif name in STOP:
            rules[name] = table.number(name, 0.0)
    table.finish(STOP)
    return rules


def _sizes(table: Keys, where: str) -> list[dict[str, Any]]:
    sizes = table.tables("sizes")
    if twice := [size for i, size in enumerate(sizes) if size in sizes[:i]]:
        raise ValueError(f"{where}: {twice[0]!r} is given twice; leave one out")
    return sizes


def _seeds(value: Any) -> tuple[int, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return tuple(range(value))
    if (
        isinstance(value, list)
        and value
        and all(type(s) is int and s >= 0 for s in value)
        and len(set(value)) == len(value)
    ):
        return tuple(value)
    raise ValueError(f"seeds = {value!r} must be how many there are, or a list of different integers >= 0")
