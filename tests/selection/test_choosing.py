"""Criteria, cross-validation and the linear model beneath them."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import parsimo as ps
from parsimo.selection import LinearModel, choose, cross_validation, named, regularization_path
from parsimo.selection.linear_model import WeightedLogistic

RNG = np.random.default_rng(2)
A = RNG.normal(size=(60, 10)) * RNG.uniform(0.5, 5.0, size=10) + RNG.normal(size=10)
Y = A[:, 0] - 2 * A[:, 1] + 0.5 * RNG.normal(size=60) + 4
LABELS = np.where(Y + 3 * RNG.normal(size=60) > np.median(Y), 1.0, -1.0)
FREQUENCIES = RNG.integers(0, 4, size=60)
PATH = regularization_path(LinearModel.of(A, Y).f, "mcp", count=12)


@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic", "gic"])
def test_criteria_by_their_definitions(criterion: Any):
    choice = choose(PATH, criterion, gamma=0.7)
    m, n = 60, 10
    for x, value in zip(PATH.points, choice.values, strict=True):
        k = int((x != 0).sum())
        deviance = m * math.log(np.sum((PATH.f.design.A @ x - PATH.f.targets) ** 2) / m)
        price = {
            "aic": 2 * k,
            "bic": k * math.log(m),
            "ebic": k * math.log(m) + 1.4 * math.log(math.comb(n, k)),
            "gic": k * math.log(n) * math.log(math.log(m)),
        }[criterion]
        assert value == pytest.approx(deviance + price)
    assert choice.values[choice.best] == choice.values.min()
    assert choice.table()[criterion] == choice.values.tolist()


def test_bic_finds_the_truth():
    choice = choose(PATH, "bic")
    assert np.flatnonzero(choice.result.x).tolist() == [0, 1]
    assert choice.weight == PATH.weights[choice.best]


def test_the_logistic_deviance():
    model = LinearModel.of(A, LABELS, "logistic")
    path = regularization_path(model.f, model.family(named("l1")), count=4)
    coef, intercept = model.coefficients(path.points[2])
    deviance = 2 * np.logaddexp(0, -LABELS * (A @ coef + intercept)).sum()
    assert choose(path, "aic").values[2] == pytest.approx(deviance + 2 * path.supports[2])


def test_supports_that_explain_noise_are_not_compared():
    noise = np.random.default_rng(3).normal(size=(12, 40))
    path = regularization_path(ps.LeastSquares(noise, noise[:, 0] ** 2), "mcp")
    choice = choose(path, "bic")
    assert path.supports.max() > 6
    assert np.isinf(choice.values[path.supports > 6]).all()
    assert path.supports[choice.best] <= 6
    perfect = regularization_path(ps.LeastSquares(noise, 2 * noise[:, 0]), "zero-norm")
    assert np.flatnonzero(choose(perfect, "ebic").result.x).tolist() == [0]


def test_wrong_criteria():
    with pytest.raises(ValueError, match="must be one of aic, bic"):
        choose(PATH, "bicc")  # type: ignore[arg-type]
    hard = regularization_path(_Other(A, Y), "l1", count=2)
    with pytest.raises(TypeError, match="LeastSquares or Logistic"):
        choose(hard)


class _Other:
    """Least squares by another name."""

    def __init__(self, A: Any, b: Any) -> None:
        self.inner = ps.LeastSquares(A, b)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)


@pytest.mark.parametrize("loss", ["squares", "logistic"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_way_back(loss: Any, kind: str, fit_intercept: bool, standardize: bool):
    """f at x is the loss at the coefficients and the intercept that x stands for."""
    y = Y if loss == "squares" else LABELS
    matrix = A if kind == "dense" else sp.csr_array(A)
    options: dict[str, Any] = {"fit_intercept": fit_intercept, "standardize": standardize}
    model = LinearModel.of(matrix, y, loss, sample_weight=FREQUENCIES, **options)
    x = RNG.normal(size=model.f.shape[0])
    coef, intercept = model.coefficients(x)
    scores = A @ coef + intercept
    losses = (scores - y) ** 2 / 2 if loss == "squares" else np.logaddexp(0, -y * scores)
    assert model.f.value(x) == pytest.approx(FREQUENCIES @ losses / FREQUENCIES.sum())
    assert model.rows == FREQUENCIES.sum()
    assert fit_intercept or intercept == 0


@pytest.mark.parametrize("loss", ["squares", "logistic"])
def test_frequencies_repeat_rows(loss: Any):
    y = Y if loss == "squares" else LABELS
    weighted = LinearModel.of(A, y, loss, sample_weight=FREQUENCIES)
    repeated = LinearModel.of(A.repeat(FREQUENCIES, axis=0), y.repeat(FREQUENCIES), loss)
    paths = [regularization_path(m.f, m.family(named("l1")), count=5, tolerance=1e-9) for m in (weighted, repeated)]
    np.testing.assert_allclose(paths[0].weights, paths[1].weights, rtol=1e-10)
    np.testing.assert_allclose(paths[0].coefficients, paths[1].coefficients, atol=1e-6)
    np.testing.assert_allclose(weighted.f.coordinate_curvature, repeated.f.coordinate_curvature, rtol=1e-10)


def test_the_weighted_logistic_loss_is_that_of_repeated_rows():
    counts = np.arange(60) % 3 + 1
    weighted = WeightedLogistic(A, LABELS, counts.astype(float))
    repeated = ps.Logistic(A.repeat(counts, axis=0), LABELS.repeat(counts))
    x, some = RNG.normal(size=10) / 10, [0, 3, 4]
    assert weighted.value(x) == pytest.approx(repeated.value(x))
    np.testing.assert_allclose(weighted.grad(x), repeated.grad(x))
    np.testing.assert_allclose(weighted.hessian(x, None, some), repeated.hessian(x, None, some))
    np.testing.assert_allclose(weighted.coordinate_curvature, repeated.coordinate_curvature)
    assert weighted.lipschitz >= repeated.lipschitz
    assert (weighted.coordinate_lipschitz >= repeated.coordinate_lipschitz * (1 - 1e-12)).all()


def test_standardized_columns():
    matrix = np.column_stack([A, np.full(60, 3.1), np.zeros(60), A[:, 0]])
    for table in (matrix, sp.csr_array(matrix)):
        model = LinearModel.of(table, Y)
        assert np.isinf(model.scale[[10, 11]]).all()
        np.testing.assert_allclose(model.scale[:10], A.std(axis=0), rtol=1e-6)
        assert abs(model.f.design.A[:, [10, 11]]).max() == 0
        assert model.coefficients(np.ones(model.f.shape[0]))[0][10] == 0
    huge = LinearModel.of(1e150 * A, Y)
    np.testing.assert_allclose(huge.f.design.A, LinearModel.of(A, Y).f.design.A, rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((A, Y[:5]), "y must have shape"),
        ((A[:, :0], Y), "must be a nonempty matrix"),
        ((A, np.full(60, np.nan)), "NaN or infinite"),
        ((A, 1e160 * Y), "overflow; scale y"),
        ((A, Y, "hinge"), "loss must be"),
    ],
)
def test_wrong_tables(arguments: Any, said: str):
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=said):
        LinearModel.of(*arguments)
    for bad, word in ((np.zeros(60), "is 0 for every row"), (-np.ones(60), ">= 0"), (np.ones(3), "must have shape")):
        with pytest.raises(ValueError, match=word):
            LinearModel.of(A, Y, sample_weight=bad)


@pytest.mark.parametrize("loss", ["squares", "logistic"])
def test_cross_validation_by_hand(loss: Any):
    """Errors of a fold are those of a model that has not seen its rows, in scales that have not either."""
    y = Y if loss == "squares" else LABELS
    parts = np.array_split(np.random.default_rng(0).permutation(60), 3)
    folds = [(np.setdiff1d(np.arange(60), part), part) for part in parts]
    found = cross_validation(A, y, "l1", loss=loss, folds=folds, count=5, sample_weight=FREQUENCIES)
    train, test = folds[1]
    model = LinearModel.of(A[train], y[train], loss, sample_weight=FREQUENCIES[train])
    x = regularization_path(model.f, model.family(named("l1")), found.weights).points[2]
    coef, intercept = model.coefficients(x)
    scores = A[test] @ coef + intercept
    losses = (scores - y[test]) ** 2 if loss == "squares" else np.logaddexp(0, -y[test] * scores)
    assert found.errors[2, 1] == pytest.approx(FREQUENCIES[test] @ losses / FREQUENCIES[test].sum(), rel=1e-5)
    assert found.sizes.tolist() == [FREQUENCIES[part].sum() for part in parts]
    mean = found.errors @ found.sizes / found.sizes.sum()
    error = np.sqrt((found.errors - mean[:, None]) ** 2 @ found.sizes / found.sizes.sum() / 2)
    np.testing.assert_allclose(found.mean, mean)
    np.testing.assert_allclose(found.standard_error, error)
    within = mean <= mean.min() + error[mean.argmin()]
    assert found.simplest == np.flatnonzero(within)[0]
    assert found.weight_simplest >= found.weight_best == found.weights[mean.argmin()]


def test_cross_validation_finds_the_truth(tmp_path: Any):
    found = cross_validation(A, Y, "mcp", count=10)
    coef, intercept = found.coefficients()
    assert np.flatnonzero(coef).tolist() == [0, 1]
    np.testing.assert_allclose(coef[:2], [1, -2], atol=0.15)
    assert intercept == pytest.approx(4, abs=0.5)
    assert found.to_dataframe().shape == (len(found.weights), 15)
    found.plot(str(tmp_path / "errors.png"))
    assert not found.failures


def test_folds_of_scikit_learn_and_of_joblib():
    import joblib
    from sklearn.model_selection import KFold

    one = cross_validation(A, Y, "l1", folds=KFold(3, shuffle=True, random_state=0), count=3)
    with joblib.parallel_config("threading"):
        same = cross_validation(A, Y, "l1", folds=KFold(3, shuffle=True, random_state=0), count=3, jobs=2)
    np.testing.assert_array_equal(one.errors, same.errors)


def test_wrong_folds(monkeypatch: pytest.MonkeyPatch):
    everything = np.arange(60)
    with pytest.raises(ValueError, match="at least two folds"):
        cross_validation(A, Y, "l1", folds=[(everything, everything)])
    nothing = FREQUENCIES * (everything >= 30)
    with pytest.raises(ValueError, match="holds out no row"):
        cross_validation(A, Y, "l1", sample_weight=nothing, folds=[(everything[20:], everything[:20])] * 2, count=2)
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    with pytest.raises(ImportError, match="parsimo\\[estimators\\]"):
        cross_validation(A, Y, "l1", folds=3)
