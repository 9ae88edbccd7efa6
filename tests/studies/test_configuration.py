"""The TOML file of a study: what it means, and what each wrong entry is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import parsimo as ps
from parsimo.selection import weight_max
from parsimo.studies import read_study
from parsimo.studies.names import SOLVERS
from parsimo.studies.posing import pose

EXAMPLE = Path(__file__).parents[2] / "examples" / "study.toml"


def test_the_grid(write):
    study = read_study(write())
    assert (study.title, study.tolerance) == ("Small", 1e-4)
    assert [(c.problem, c.size, c.seed, c.solver) for c in study.cells] == [
        ("lasso", "", 3, "ProximalGradient"),
        ("lasso", "", 3, "inexact"),
        ("lasso", "", 5, "ProximalGradient"),
        ("lasso", "", 5, "inexact"),
        ("counting", "rows 20", 3, "ProximalGradient"),
        ("counting", "rows 20", 5, "ProximalGradient"),
        ("counting", "rows 25", 3, "ProximalGradient"),
        ("counting", "rows 25", 5, "ProximalGradient"),
    ]
    assert len({cell.key for cell in study.cells}) == 8


def test_the_example_is_a_study():
    assert len(read_study(EXAMPLE).cells) == 36


def test_a_key_is_the_configuration_and_not_its_names(write):
    keys = [cell.key for cell in read_study(write()).cells]
    renamed = read_study(write().with_name("small.toml").rename(write().parent / "other.toml"))
    assert [cell.key for cell in renamed.cells] == keys
    assert [c.key for c in read_study(write(lasso="least absolute")).cells] == keys
    for old, new in (("max/10", "max/11"), ("= 60", "= 61"), ("0.5", "0.6"), ("[3, 5]", "[4, 6]")):
        assert read_study(write(**{old: new})).cells[1].key != keys[1]


def test_a_key_depends_on_the_version(write, monkeypatch):
    before = read_study(write()).cells[0].key
    monkeypatch.setattr(ps, "__version__", "0.0.0")
    assert read_study(write()).cells[0].key != before


def test_a_key_depends_on_the_data(write, tmp_path):
    text = '[[problems]]\ndata = { file = "t.svm" }\npenalty = { name = "L1", weight = 1 }\n'
    text += '[[solvers]]\nsolver = "ProximalGradient"\n'
    (tmp_path / "t.svm").write_text("1 1:2\n-1 1:3\n")
    before = read_study(write(text)).cells[0].key
    (tmp_path / "t.svm").write_text("1 1:2\n-1 1:4\n")
    assert read_study(write(text)).cells[0].key != before


def test_every_solver_can_be_named():
    assert set(SOLVERS) == {each.__name__ for each in ps.solvers.REGISTRY}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = [3, 5]", "seeds = 0", "seeds = 0 must be how many there are, or a list of different integers"),
        ("seeds = [3, 5]", "seeds = [1, 1]", "seeds = [1, 1] must be"),
        ("tolerance = 1e-4", "tolerance = -1", "tolerance = -1.0 must be a finite number >= 0"),
        ("tolerance", "tolerence", "tolerence is unknown; did you mean 'tolerance'? choose one of problems, seeds"),
        ("iterations = 60", "iterations = 0", "stop.iterations = 0 must be an integer >= 1"),
        ("iterations = 60", "steps = 60", "stop.steps is unknown; choose one of certificate, iterations"),
        ("iterations = 60", "certificate = 'tight'", "stop.certificate = 'tight' must be an integer or a number"),
        ('"gaussian"', '"gausian"', "problems[0].instance = 'gausian' is unknown; did you mean 'gaussian'? choose one"),
        (
            "rows = 20, columns",
            "lines = 20, columns",
            "problems[0].parameters.lines is no parameter of gaussian; choose",
        ),
        ("rows = 20, columns", "columns", "problems[0].parameters: gaussian needs rows; add it"),
        ("nonzeros = 3 }", "nonzeros = 3, seed = 1 }", "problems[0].parameters.seed is no parameter of gaussian"),
        ("rows = 20, columns", "rows = 'ten', columns", "problems[0].parameters.rows = 'ten' must be an integer >= 0"),
        ("rows = 20, columns", "rows = -20, columns", "problems[0].parameters.rows = -20 must be an integer >= 0"),
        ("nonzeros = 3 }", "nonzeros = 3, snr = nan }", "problems[0].parameters.snr = nan must be a number"),
        ("{ rows = 25 }", "{ rows = 20 }", "problems[1].sizes: {'rows': 20} is given twice; leave one out"),
        ("iterations = 60", "seconds = inf", "stop.seconds = inf must be a finite number >= 0"),
        ('"max/10"', '"max/0"', """problems[0].penalty.weight = 'max/0' must be a number, "max", or a share"""),
        ('only = ["lasso"]', "only = []", "solvers[1].only is empty: the solver would run on nothing"),
        ('name = "L1"', 'name = "L2"', "problems[0].penalty.name = 'L2' is unknown; choose one of ZeroNorm, L1"),
        ('"max/10"', '"maximal"', """problems[0].penalty.weight = 'maximal' must be a number, "max", or a share"""),
        ('"max/10"', "-1.0", "problems[0].penalty: L1: weight must be a finite number >= 0, got -1.0"),
        ('"max/10" }', '"max/10", on = "groups" }', "penalty.on = 'groups' needs the instance groups, got gaussian"),
        ('"max/10" }', '"max/10", surrogate = "mcp" }', "penalty.surrogate is one of the zero norm alone"),
        (
            '"max/10" }',
            '"max/10", slope = 2 }',
            "problems[0].penalty.slope is no parameter of L1; choose one of weight",
        ),
        (
            'solver = "ProximalGradient"',
            'solver = "Newton"',
            "solvers[0].solver = 'Newton' is unknown; choose one of Prox",
        ),
        (
            'name = "Inexact"',
            'name = "Inexakt"',
            "solvers[1].parameters.x_step.name = 'Inexakt' is unknown; did you mean",
        ),
        ("accuracy = 0.5", "accuracy = -0.5", "solvers[1].parameters.x_step: Inexact: accuracy must be"),
        ("proximal_z", "proximal_q", "solvers[1].parameters.proximal_q is no parameter of ProximalADMM; did you mean"),
        ('only = ["lasso"]', 'only = ["laso"]', "solvers[1].only: there is no problem 'laso'; did you mean 'lasso'?"),
        ('name = "inexact"', 'name = "ProximalGradient"', "solvers: the name 'ProximalGradient' is given twice"),
        ("[[solvers]]", "[[solver]]", "solvers must be a list of tables; write [[solvers]] above each"),
        ('instance = "gaussian"\nparameters', "parameters", "problems[0] must have either instance or data"),
        ("title = ", "title = 1 #", "title = 1 must be a text"),
        ("title = ", "title ", "is not TOML"),
    ],
)
def test_wrong_entries_are_named(write, old: str, new: str, message: str):
    path = write(**{old: new})
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_study(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{ loss = 'squares' }", "problems[0].data must have either file or sklearn"),
        ("{ file = 'none.csv' }", "problems[0].data.file = 'none.csv': there is no file"),
        (
            "{ sklearn = 'iris', loss = 'hinge' }",
            "problems[0].data.loss = 'hinge' is unknown; choose one of squares, log",
        ),
        ("{ sklearn = 'iris', columns = 3 }", "problems[0].data.columns is unknown; choose one of file, loss"),
    ],
)
def test_wrong_data_are_named(write, data: str, message: str):
    text = f"[[problems]]\ndata = {data}\npenalty = {{ name = 'Zero' }}\n[[solvers]]\nsolver = 'ProximalGradient'\n"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_study(write(text))


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "latin.toml").write_bytes('title = "Größe"'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.toml is not text in UTF-8"):
        read_study(tmp_path / "latin.toml")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize(("share", "divisor"), [("max", 1.0), ("max/4", 4.0), ("max/2.5", 2.5)])
@pytest.mark.parametrize("penalty", [{"name": "L1"}, {"name": "MCP", "flat_point": 0.1}, {"name": "ZeroNorm"}])
def test_a_share_of_the_largest_weight(penalty, share: str, divisor: float, tmp_path):
    source = {"instance": "gaussian", "parameters": {"rows": 20, "columns": 30, "nonzeros": 3}}
    posed = pose({**source, "penalty": {**penalty, "weight": share}}, 0, tmp_path)
    f = posed.problem.f
    unit = {"L1": ps.L1(1.0), "MCP": ps.MCP(1.0, 0.1), "ZeroNorm": ps.ZeroNorm(1.0)}[penalty["name"]]
    assert posed.weight * divisor == pytest.approx(weight_max(f, unit))
    if penalty["name"] == "L1":
        assert posed.weight * divisor == pytest.approx(np.abs(f.grad(f.start())).max())


@pytest.mark.parametrize(
    ("source", "penalty", "pieces"),
    [
        ({"instance": "groups", "parameters": {"rows": 20, "columns": 12, "group_size": 3, "active": 2}}, "groups", 2),
        ({"instance": "low_rank", "parameters": {"rows": 6, "columns": 5, "rank": 2}}, "singular values", 2),
    ],
)
def test_structured_penalties_count_their_pieces(source, penalty: str, pieces: int, tmp_path):
    entry = {"name": "L1", "weight": "max/4", "on": penalty, "ridge": 0.1}
    posed = pose({**source, "penalty": entry}, 0, tmp_path)
    assert isinstance(posed.problem.g, ps.WithRidge)
    assert posed.weight > 0
    assert posed.pieces(posed.truth) == pieces


def test_surrogates_and_clustering_problems(tmp_path):
    source = {"instance": "clustered", "parameters": {"rows": 30, "columns": 10, "clusters": 3}}
    penalty = {"name": "ZeroNorm", "weight": "max/4", "surrogate": "mcp"}
    assert "surrogate" in type(pose({**source, "penalty": penalty}, 0, tmp_path).problem).__name__.lower()
    posed = pose({**source, "penalty": {"name": "ClusteringProblem", "weight": 0.1, "k": 3}}, 0, tmp_path)
    assert isinstance(posed.problem, ps.ClusteringProblem)
    assert posed.pieces(posed.truth) == 3


def test_data_are_scaled_and_classes_separated(tmp_path):
    penalty = {"name": "L1", "weight": 0.1}
    squares = pose({"data": {"sklearn": "diabetes", "loss": "squares"}, "penalty": penalty}, 0, tmp_path)
    np.testing.assert_allclose((squares.problem.f.design.A**2).mean(axis=0), 1)
    assert squares.truth is None
    iris = {"sklearn": "iris", "loss": "logistic"}
    with pytest.raises(ValueError, match=r"target has 3 values \(0, 1, 2\) and positive is None; set positive"):
        pose({"data": iris, "penalty": penalty}, 0, tmp_path)
    one = pose({"data": iris | {"positive": 1.0}, "penalty": penalty}, 0, tmp_path)
    assert (one.problem.f.targets > 0).sum() == 50
