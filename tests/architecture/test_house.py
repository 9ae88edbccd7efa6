"""The house rules that a reader relies on: light imports, small modules, complete registries, documented names."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import parsimo as ps
from parsimo import penalties, solvers

PACKAGE = Path(ps.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
TEXTS = sorted(p for p in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if p.is_file())
HEAVY = (
    "torch",
    "cvxpy",
    "matplotlib",
    "pandas",
    "sklearn",
    "scipy",
    "typer",
    "rich",
    "safetensors",
    "numba",
    "joblib",
    "plotly",
)


def test_there_is_something_to_look_at():
    assert len(MODULES) > 30
    assert (ROOT / "README.md") in TEXTS


def test_import_is_light():
    """A fresh interpreter that imports the package has loaded none of the libraries that only parts of it need."""
    script = f"import sys, parsimo; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_the_import_test_sees_a_heavy_library():
    script = f"import sys, parsimo, scipy; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["scipy"]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_are_small_and_say_what_they_are(path: Path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(source)), "a module begins by saying what it is"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_runs_code_from_a_file(path: Path):
    """Files are data: no pickle, no torch.load, no eval, no shell."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not set(unsafe_names(tree)), "files must stay data"


def unsafe_names(tree: ast.AST) -> list[str]:
    """What in the syntax tree could run code that came from a file."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            found += [n for n in names if n.split(".")[0] in ("pickle", "cPickle", "dill", "marshal", "shelve")]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            allows = any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)
            if name in ("eval", "exec", "torch.load", "joblib.load", "os.system") or allows:
                found.append(name)
        if isinstance(node, ast.ImportFrom) and node.module == "joblib":  # its parallel part is wanted
            found += [alias.name for alias in node.names if alias.name not in ("Parallel", "delayed")]
    return found


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "joblib.load(path)",
        "x = torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "eval(text)",
    ],
)
def test_the_search_for_unsafe_code_finds_it(line: str):
    assert unsafe_names(ast.parse(line))
    assert not unsafe_names(ast.parse("np.load(path, allow_pickle=False); safetensors.torch.load_file(path)"))


@pytest.mark.parametrize("name", ps.__all__)
def test_public_names_exist_and_are_documented(name: str):
    thing = getattr(ps, name)
    own = inspect.getdoc(thing)
    assert own, f"parsimo.{name} has no docstring"
    assert not own.startswith(f"{name}("), "the generated docstring of a dataclass says nothing"
    if inspect.isclass(thing):
        for attribute, member in vars(thing).items():
            if not attribute.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                assert inspect.getdoc(member), f"parsimo.{name}.{attribute} has no docstring"


def test_public_names_are_listed_once():
    assert len(set(ps.__all__)) == len(ps.__all__)


@pytest.mark.parametrize("room", ["core", "penalties", "problems", "solvers", "selection"])
def test_every_module_exports_what_it_lists(room: str):
    package = importlib.import_module(f"parsimo.{room}")
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"parsimo.{room}.{info.name}")
        for name in module.__all__:
            assert hasattr(module, name), f"{module.__name__}.{name}"


def classes_with(package: ModuleType, *methods: str) -> set[Any]:
    """The public dataclasses of a package that offer all of the methods."""
    things = (getattr(package, name) for name in package.__all__)
    return {c for c in things if inspect.isclass(c) and is_dataclass(c) and all(hasattr(c, m) for m in methods)}


def test_registries_are_complete():
    assert set(solvers.REGISTRY) == classes_with(solvers, "init", "step", "measures", "merit", "notes")
    not_separable = {penalties.Group, penalties.Spectral, penalties.ZeroNormBall}
    made_of_others = {penalties.SeparableSum, penalties.WithRidge}
    assert set(penalties.REGISTRY) | not_separable | made_of_others == classes_with(
        penalties, "value", "prox", "subdiff_distance"
    )


@pytest.mark.parametrize("path", [*TEXTS, *MODULES], ids=lambda p: str(p.relative_to(ROOT)))
def test_no_text_names_a_folder_of_one_machine(path: Path):
    assert machine_paths(path.read_text(encoding="utf-8")) == []


def machine_paths(text: str) -> list[str]:
    """Absolute paths below folders that exist on one machine only."""
    return re.findall(r"(?<![\w.:/])/(?:work|home|root|Users|mnt|tmp)/\S*|[A-Z]:\\\w+", text)


def test_the_search_for_machine_paths_finds_them():
    slash = "/"
    assert machine_paths(f"see {slash}home{slash}me{slash}x.txt") == ["/home/me/x.txt"]
    assert machine_paths("C:\\data") == ["C:\\data"]
    assert machine_paths("https://example.org/home/page and docs/work/x.md") == []
