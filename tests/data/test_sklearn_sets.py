"""Tables of scikit-learn: what is loaded, and what each wrong name is told. Nothing here goes online."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn import datasets
from sklearn.utils import Bunch

import parsimo as ps
from parsimo.data import load_sklearn
from parsimo.data.sklearn_sets import FETCHED, SHIPPED


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - {"linnerud"}))
def test_a_shipped_set_is_scikit_learns(name: str):
    table, bunch = load_sklearn(name), getattr(datasets, f"load_{name}")()
    np.testing.assert_array_equal(table.matrix, bunch.data)
    np.testing.assert_array_equal(table.target, bunch.target)
    assert table.matrix.dtype == table.target.dtype == np.float64
    assert table.columns == tuple(map(str, bunch.feature_names))


def test_every_name_is_a_function_of_scikit_learn():
    assert all(hasattr(datasets, f"load_{name}") for name in SHIPPED)
    assert all(hasattr(datasets, f"fetch_{name}") for name in FETCHED)
    assert ps.data.load_sklearn is load_sklearn


@pytest.mark.parametrize("target", ["Waist", 1])
def test_one_of_several_targets_is_chosen(target: str | int):
    np.testing.assert_array_equal(load_sklearn("linnerud", target).target, datasets.load_linnerud().target[:, 1])


@pytest.mark.parametrize("target", [None, "Height", 3, -1])
def test_several_targets_need_a_choice(target: Any):
    with pytest.raises(ValueError, match=r"linnerud has 3 targets.* choose one of Weight, Waist, Pulse"):
        load_sklearn("linnerud", target)


def test_a_choice_among_one_target_is_refused():
    with pytest.raises(ValueError, match="iris has one target, so that target='y' chooses nothing: leave it out"):
        load_sklearn("iris", "y")


@pytest.mark.parametrize("name", ["diabets", "openml:", "Iris"])
def test_an_unknown_name_lists_those_there_are(name: str):
    with pytest.raises(ValueError, match=rf"no table '{name}'.* breast_cancer, diabetes.* rcv1, and openml:NAME"):
        load_sklearn(name)


def test_a_near_name_is_suggested():
    with pytest.raises(ValueError, match="did you mean 'diabetes'"):
        load_sklearn("diabets")


def fetched(monkeypatch: pytest.MonkeyPatch, function: str, answer: Any) -> list[dict[str, Any]]:
    """Stands in for the network; returns the arguments of each call."""
    calls: list[dict[str, Any]] = []

    def fetch(*names: str, **options: Any) -> Any:
        calls.append({"names": names} | options)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(datasets, function, fetch)
    return calls


def test_sparse_sets_with_sparse_targets(monkeypatch: pytest.MonkeyPatch):
    matrix = scipy.sparse.csr_matrix(np.array([[1.0, 0.0], [0.0, 2.0]], np.float32))
    target = scipy.sparse.csr_matrix(np.array([[0, 1], [1, 0]], np.uint8))
    calls = fetched(monkeypatch, "fetch_rcv1", Bunch(data=matrix, target=target, target_names=np.array(["C1", "C2"])))
    table = load_sklearn("rcv1", "C2", data_home="kept")
    assert isinstance(table.matrix, scipy.sparse.csr_array)
    np.testing.assert_array_equal(table.matrix.toarray(), [[1, 0], [0, 2]])
    np.testing.assert_array_equal(table.target, [1, 0])
    assert table.columns == ("x0", "x1")
    assert calls == [{"names": (), "data_home": "kept"}]


def test_openml_classes_are_numbered(monkeypatch: pytest.MonkeyPatch):
    bunch = Bunch(data=np.ones((3, 1)), target=np.array(["no", "yes", "no"], object), feature_names=["a"])
    calls = fetched(monkeypatch, "fetch_openml", bunch)
    np.testing.assert_array_equal(load_sklearn("openml:answers").target, [0, 1, 0])
    assert calls[0]["names"] == ("answers",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array([["red"]], object), "answers: a column is not numeric .*encode it"),
        (np.array([[np.nan]]), "answers: nan in row 0 .*impute it"),
    ],
)
def test_what_a_table_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch, data: np.ndarray, message: str):
    fetched(monkeypatch, "fetch_openml", Bunch(data=data, target=np.ones(1), feature_names=["a"]))
    with pytest.raises(ValueError, match=message):
        load_sklearn("openml:answers")


@pytest.mark.parametrize("error", [OSError("no route"), ValueError("unknown data set")])
def test_what_cannot_be_fetched_says_so(monkeypatch: pytest.MonkeyPatch, error: Exception):
    fetched(monkeypatch, "fetch_california_housing", error)
    with pytest.raises(FileNotFoundError, match=rf"california_housing could not be fetched \({error}\).* data_home"):
        load_sklearn("california_housing")
