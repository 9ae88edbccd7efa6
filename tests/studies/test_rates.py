"""Fitted rates: sequences of a known rate, with noise, with a floor, too short, and of no rate at all."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from parsimo.studies import fit_rate

K = np.arange(400.0)
NOISE = np.random.default_rng(0).standard_normal(4000)
UNIFORM = np.random.default_rng(1).random(4000)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_a_linear_sequence_has_its_rate(q: float):
    rate = fit_rate(q**K)
    assert rate.regime == "linear"
    assert rate.value == pytest.approx(q, rel=1e-9)
    assert rate.interval[0] <= rate.value <= rate.interval[1]
    assert rate.kl == "in (0, 1/2]"


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_a_power_has_its_exponent(p: float):
    rate = fit_rate(np.maximum(K, 0.5) ** -p)
    assert rate.regime == "sublinear"
    assert rate.value == pytest.approx(p, rel=1e-9)


def test_the_classical_rate_is_found_from_its_tail():
    rate = fit_rate(2.0 / (K + 1) ** 2)
    assert rate.regime == "sublinear"
    assert rate.value == pytest.approx(2, abs=0.03)
    assert rate.rows[0] >= 40


@pytest.mark.parametrize(
    ("quantity", "p", "theta"),
    [("gap", 2.0, "0.75"), ("gap", 1.0, "none below 1"), ("certificate", 1.5, "0.75"), ("certificate", 3.0, "0.60")],
)
def test_the_exponent_that_a_power_points_to(quantity, p: float, theta: str):
    """F - F* ~ k^-2 is theta = 3/4, and then dist(0, dF) ~ (F - F*)^theta ~ k^-3/2."""
    rate = fit_rate(np.maximum(np.arange(4000.0), 0.5) ** -p, quantity=quantity)
    assert rate.regime == "sublinear"
    assert rate.kl.startswith(theta)


@pytest.mark.parametrize("steps", [13, 30, 50])
@pytest.mark.parametrize("before", [lambda k: 1 / (k + 1), lambda k: 0.8**k], ids=["power", "linear"])
def test_a_finite_sequence_ends(steps: int, before: Callable[[np.ndarray], np.ndarray]):
    rate = fit_rate(np.where(steps > K, before(K), 0.0))
    assert (rate.regime, rate.value, rate.kl) == ("finite", steps, "0")
    floored = fit_rate(np.where(steps > K, before(K), 1e-13), floor=1e-12)
    assert (floored.regime, floored.value) == ("finite", steps)


@pytest.mark.parametrize("q", [0.8, 0.95])
@pytest.mark.parametrize("floor", [1e-9 + 0 * K, 1e-9 * UNIFORM[:400]], ids=["flat floor", "noise floor"])
def test_a_linear_sequence_that_meets_its_floor_is_not_finite(q: float, floor: np.ndarray):
    rate = fit_rate(q**K + floor)
    assert rate.regime == "linear"
    assert rate.value == pytest.approx(q, abs=2e-3)


def test_a_linear_sequence_that_stops_at_its_own_end_is_not_finite():
    """The least value known is the run's own, which makes the last gap 0; the doubt about it is the floor."""
    values = 0.9 ** K[:150]
    rate = fit_rate(values - values[-1], floor=1e-5)
    assert rate.regime == "linear"
    assert rate.value == pytest.approx(0.9, abs=2e-3)


def test_a_power_that_meets_a_noise_floor():
    k = np.arange(4000.0)
    rate = fit_rate((k + 1) ** -2 + 1e-6 * UNIFORM)
    assert rate.regime in ("sublinear", "undecided")
    assert rate.rows[1] < 200


def test_a_given_floor_is_cut_off():
    assert fit_rate(np.maximum(0.9**K, 1e-20), floor=1e-13).rows[1] < math.log(1e-13) / math.log(0.9)


@pytest.mark.parametrize(
    ("make", "regime", "truth"),
    [
        (lambda z: 0.97**K * np.exp(0.2 * z), "linear", 0.97),
        (lambda z: np.maximum(K, 0.5) ** -2.0 * np.exp(0.02 * z), "sublinear", 2.0),
        (lambda z: 0.97**K * np.exp(0.1 * np.convolve(z, 0.8 ** np.arange(20))[:400]), "linear", 0.97),
    ],
    ids=["linear", "power", "linear, correlated noise"],
)
def test_the_intervals_cover(make: Callable[[np.ndarray], np.ndarray], regime: str, truth: float):
    """Of 40 noisy sequences about 95 % have the truth in the interval, also where neighbours are correlated."""
    rng = np.random.default_rng(5)
    rates = [fit_rate(make(rng.standard_normal(400))) for _ in range(40)]
    assert all(rate.regime == regime for rate in rates)
    assert sum(rate.interval[0] <= truth <= rate.interval[1] for rate in rates) >= 35


def test_the_late_phase_decides():
    """A slow start, then linear: as where a method finds the support first."""
    values = np.concatenate([1 / np.sqrt(K + 1), 0.05 * 0.9 ** K[:150]])
    rate = fit_rate(values)
    assert (rate.regime, rate.value) == ("linear", pytest.approx(0.9))
    assert rate.rows[0] >= 400


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (0.9 ** K[:10], "too short: 9 values above the floor, 12 are needed"),
        (0.999**K, "too short: the values fall by a factor of 1.5, 10 are needed"),
        (np.ones(100), "too short"),
        (UNIFORM[:100], "too short"),
        (np.zeros(50), "too short: no value above the floor"),
        ([], "too short: no value above the floor"),
        ([math.nan] * 30, "too short: no value above the floor"),
        (np.exp(-((K[:30] / 6) ** 2)), "bends|predict alike|interval of the slope|too fast"),
        ((K + 1) ** -1.5 * 0.99**K, "predict alike"),
        ((K / 100 + 1) ** -16.0, "too fast|predict alike"),
        (0.5 ** (2.0 ** np.arange(8)), "too short"),
    ],
    ids=["short", "slow", "flat", "noise", "zeros", "empty", "nan", "superlinear", "between", "steep", "newton"],
)
def test_what_cannot_be_told_is_undecided(values, reason: str):
    rate = fit_rate(values)
    assert rate.regime == "undecided"
    assert math.isnan(rate.value)
    assert any(part in rate.reason for part in reason.split("|")), rate.reason
    assert str(rate) == f"undecided: {rate.reason}"


def test_rows_may_be_left_out_and_steps_may_be_wide():
    values = 0.99**K
    values[::7] = math.nan
    assert fit_rate(values).value == pytest.approx(0.99)
    assert fit_rate(0.9**K, iterations=10 * K).value == pytest.approx(0.9**0.1)


@pytest.mark.parametrize(
    ("values", "iterations", "message"),
    [
        ([1.0, -1e-3], None, "values must be >= 0, got -0.001 at 1; subtract the least objective"),
        ([1.0, 0.5], [0, 0], "iterations must rise"),
        ([1.0, 0.5], [0], "1-D of one length"),
    ],
)
def test_wrong_arguments_are_named(values, iterations, message: str):
    with pytest.raises(ValueError, match=message):
        fit_rate(values, iterations)
