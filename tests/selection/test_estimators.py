"""The estimators obey scikit-learn, and find what they should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

import parsimo as ps
from parsimo.selection.estimators import SparseClassifier, SparseClassifierCV, SparseRegressor, SparseRegressorCV

RNG = np.random.default_rng(4)
X = RNG.normal(size=(80, 12)) * RNG.uniform(0.1, 10, size=12) + 2
Y = X[:, 0] - X[:, 1] / X[:, 1].std() + 0.2 * RNG.normal(size=80) + 5
CLASSES = np.array(["low", "middle", "high"])[np.searchsorted(np.quantile(Y, [0.3, 0.6]), Y)]


@pytest.mark.parametrize(
    "estimator",
    [
        SparseRegressor(count=3),
        SparseClassifier("l1", weight=0.2),
        SparseRegressorCV("l1", weights=[0.1], cv=2),
        SparseClassifierCV("l1", weights=[0.2], cv=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learn_agrees(estimator: Any):
    outcomes = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {o["check_name"]: o["exception"] for o in outcomes if o["status"] not in ("passed", "skipped")}
    assert not failed
    assert sum(o["status"] == "passed" for o in outcomes) > 50


@pytest.mark.parametrize("penalty", ["mcp", "scad", "capped-l1", "zero-norm"])
def test_a_regression(penalty: str):
    model = SparseRegressor(penalty, weight="bic", count=15).fit(X, Y)
    assert np.flatnonzero(model.coef_).tolist() == [0, 1]
    assert model.status_ is ps.Status.CONVERGED
    assert model.score(X, Y) > 0.95
    assert model.path_["coef"].shape == (len(model.path_["weight"]), 12)
    assert model.path_["bic"].min() == model.path_["bic"][model.path_["weight"] == model.weight_][0]
    sparse = SparseRegressor(penalty, weight="bic", count=15).fit(sp.csr_array(X), Y)
    np.testing.assert_allclose(sparse.coef_, model.coef_, atol=1e-5)
    np.testing.assert_allclose(sparse.predict(sp.csc_array(X)), model.predict(X), atol=1e-4)


def test_the_intercept_is_not_penalized_and_scales_do_not_matter():
    plain = SparseRegressor(weight=0.05).fit(X, Y)
    moved = SparseRegressor(weight=0.05).fit(100 * X - 7, Y + 1e3)
    np.testing.assert_allclose(moved.coef_, plain.coef_ / 100, atol=1e-9)
    np.testing.assert_allclose(moved.predict(100 * X - 7), plain.predict(X) + 1e3)
    raw = SparseRegressor("l1", weight=0.05, standardize=False, fit_intercept=False).fit(X, Y)
    residual = X.T @ (X @ raw.coef_ - Y) / 80
    np.testing.assert_allclose(residual[raw.coef_ != 0], -0.05 * np.sign(raw.coef_[raw.coef_ != 0]), atol=1e-6)
    assert raw.intercept_ == 0


def test_a_penalty_object_and_its_own_units():
    given = SparseRegressor(ps.MCP(0.1, 0.5), weight=1.0).fit(X, Y)
    named = SparseRegressor("mcp", weight=0.1, flat_point=0.5).fit(X, Y)
    np.testing.assert_allclose(given.coef_, named.coef_, atol=1e-9)


def test_classes():
    binary = SparseClassifier(count=8).fit(X, CLASSES == "high")
    assert binary.coef_.shape == (1, 12)
    assert binary.intercept_.shape == (1,)
    assert {0, 1} <= set(np.flatnonzero(binary.coef_[0]).tolist())
    several = SparseClassifier("l1", weight=0.02).fit(X, CLASSES)
    assert several.coef_.shape == (3, 12)
    assert several.weight_.shape == several.n_iter_.shape == (3,)
    assert len(several.path_) == 3
    probabilities = several.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(several.predict_log_proba(X)), probabilities)
    assert (several.predict(X) == several.classes_[probabilities.argmax(axis=1)]).all()
    assert several.score(X, CLASSES) > 0.7


def test_separable_classes_have_a_solution():
    separated = X[:, 0] > 0
    model = SparseClassifier(count=5).fit(X, separated)
    assert model.status_ is ps.Status.CONVERGED
    assert model.score(X, separated) > 0.95


def test_cross_validation():
    model = SparseRegressorCV(count=8, cv=3).fit(X, Y)
    assert np.flatnonzero(model.coef_).tolist() == [0, 1]
    best = SparseRegressorCV(count=8, cv=3, rule="best").fit(X, Y)
    assert best.weight_ <= model.weight_
    errors = best.path_["mean error"]
    assert best.weight_ == best.path_["weight"][errors.argmin()]
    classes = SparseClassifierCV("l1", count=4, ratio=0.1, cv=2).fit(X, CLASSES)
    assert classes.weight_.shape == (3,)


@pytest.mark.parametrize("y", [np.full(80, 2.5), np.full(80, 1e150), np.zeros(80)])
def test_a_constant_target(y: np.ndarray):
    model = SparseRegressor().fit(X, y)
    assert not model.coef_.any()
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-12)
    assert model.certificate_ == 0


def test_odd_tables():
    one = SparseRegressor().fit(X[:1], Y[:1])
    assert not one.coef_.any()
    assert one.predict(X[:1]) == pytest.approx(Y[:1])
    assert SparseRegressor(weight=0.0).fit(X[:, :1], Y).coef_[0] == pytest.approx(np.polyfit(X[:, 0], Y, 1)[0])
    assert not SparseRegressor(weight=1e6).fit(X, Y).coef_.any()
    huge = SparseRegressor(weight="bic", count=15).fit(1e150 * X, Y)
    np.testing.assert_allclose(1e150 * huge.coef_, SparseRegressor(weight="bic", count=15).fit(X, Y).coef_, rtol=1e-6)
    twins = SparseRegressor(weight="bic", count=15).fit(np.hstack([X, X, np.ones((80, 1))]), Y)
    assert np.unique(np.flatnonzero(twins.coef_) % 12).tolist() == [0, 1]
    assert twins.coef_[-1] == 0


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (SparseRegressor(weight="cic"), "must be a number or one of"),
        (SparseRegressor(weight=-1.0), "must be a finite number >= 0"),
        (SparseRegressor("mpc"), "penalty must be one of"),
        (SparseRegressor(ps.L1(1.0), gamma=3.0), "go with a name"),
        (SparseRegressor(ridge=-1.0), "ridge must be"),
        (SparseRegressorCV(rule="two"), 'rule must be "one-standard-error"'),
    ],
)
def test_wrong_parameters(estimator: Any, said: str):
    with pytest.raises(ValueError, match=said):
        estimator.fit(X, Y)


def test_what_does_not_converge_is_said():
    with pytest.warns(ConvergenceWarning, match="MAX_ITERATIONS.*raise max_iter"):
        model = SparseRegressor(weight=1e-3, max_iter=1, solver=ps.ProximalGradient()).fit(X, Y)
    assert model.status_ is ps.Status.MAX_ITERATIONS


def test_the_extra_is_named():
    script = (
        "import sys; sys.modules['sklearn'] = None\nimport parsimo\n"
        "try: parsimo.SparseRegressor\nexcept ImportError as error: print(error)"
    )
    root = Path(ps.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert 'SparseRegressor needs scikit-learn: pip install "parsimo[estimators]"' in done.stdout
    assert ps.SparseRegressor is SparseRegressor
