"""A smooth function against its own values: the gradient, and the constants that it states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from parsimo._array import Array, array_namespace, device_of, to_numpy
from parsimo.problems import LeastSquares, Logistic
from parsimo.theory_checks.constants import try_constants
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import Quadratic
from parsimo.theory_checks.oracles.autograd import autograd_gradient
from parsimo.theory_checks.second_derivatives import derivative_along, try_hessian
from parsimo.theory_checks.smooth_points import Sample, Units, center_of, samples_of, units_of

__all__ = ["CHECKS", "SMOOTH", "check_gradient"]

_COORDINATES = 40  # derivatives looked at one by one in a trial; further ones along one direction together
_RESOLVED = 1e-2  # errors of differences above this share of the largest derivative say nothing
_ULPS = 64.0  # what the rounding of a value or of a gradient may amount to, in units in the last place
_TINY = 1e-300


def check_gradient(
    f: Any,
    rng: Seed = 0,
    trials: int = 10,
    x: Array | None = None,
    shape: tuple[int, ...] | None = None,
    reference: Callable[[Any], Any] | None = None,
    tolerance: float = 1e-6,
) -> Evidence:
    """`grad` is the gradient of `value`, `value_and_grad` agrees with both, and the constants that f states hold.

    The gradient is compared with extrapolated differences of values, less their error, and with automatic
    differentiation of `reference` where there is one. It must keep shape, dtype, library and device of x, leave x as it
    was, share no memory with it, and stay as it is when f is called again. All is judged in the units of f: by its own
    values and gradients, and by steps on which it bends little; what rounding hides is no failure.
    `hessian(x, rows, columns)`, where there is one, is compared with extrapolated differences of gradients.
    The constants are tried on pairs of points at random and along directions of largest and smallest curvature, found
    by Lanczos iteration on differences of gradients:

    * `lipschitz` L: |grad f(x) - grad f(y)| <= L |x - y|;
    * `weak_convexity` m, `convex`, `strong_convexity` mu: <grad f(x) - grad f(y), x - y> >= -m |x - y|^2, with m = 0
      and m = -mu;
    * `coordinate_curvature` L_i: f(x + t e_i) <= f(x) + t d_i f(x) + L_i t^2 / 2, with equality where
      `coordinate_curvature_is_exact`;
    * `coordinate_lipschitz` l_i: |f(x + t e_i) - f(x)| <= l_i |t|;
    * `lower_bound`: f(x) >= it, also at the lowest points that descents by L-BFGS meet.

    A constant that is None or absent states nothing. Trials can refute a constant, not prove it. Points at which f is
    not finite are no points of its domain: those drawn are moved towards the center until f is finite.

    Parameters
    ----------
    f : Smooth
        With `value`, `grad` and `value_and_grad`.
    x : array of shape (n,), optional
        Points are taken about it, in its library and dtype; by default about `f.start()`, or about 0. f must be finite
        there.
    shape : tuple of one int, optional
        Of x, where neither x nor `f.start` nor `f.shape` gives it.
    reference : callable, optional
        f written from its definition in torch, a float64 tensor to a 0-d one.
    tolerance : float
        Relative to each derivative; in single precision 100 units in the last place where that is more.

    Raises
    ------
    TypeError
        If f lacks a method, `value` does not return a float or `value_and_grad` no pair, or x is no 1-D floating array.
    ValueError
        If there is no trial or no positive tolerance, no shape is known, f is not finite at the center, gradient or
        Hessian have another shape than x asks for, values have fewer digits than x, or are too rough to
        differentiate at all points.
    """
    require_trials(trials, tolerance)
    rng = np.random.default_rng(rng)
    center = center_of(f, x, shape)
    epsilon = float(array_namespace(center).finfo(center.dtype).eps)
    tolerance = max(tolerance, 100 * epsilon)
    outcome = Trials(
        f"{f!r}: grad is the gradient of value, and the constants of f hold",
        "definition of the gradient, by extrapolated differences" + (" and by autograd" if reference else ""),
        "the center, and points at random about it, on scales from 0.1 to 10 and on the one on which f bends",
        ("f", next((f"SMOOTH[{name!r}]" for name, smooth in SMOOTH.items() if smooth is f), "f")),
    )
    # outside its domain f may be infinite or NaN: that is looked for, and no reason for a warning
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        samples = samples_of(f, center, trials, rng)
        held = _Held(outcome, f, units_of(samples), tolerance, _ULPS * epsilon)
        for sample in samples[:trials]:
            held.forms(sample)
            held.derivatives(sample, rng)
            if reference is not None:
                held.reference(sample, reference)
            if getattr(f, "hessian", None) is not None:
                try_hessian(outcome, f, sample.x, sample.text, sample.bend, rng, tolerance)
            try_constants(outcome, f, sample.x, sample.bend, rng, tolerance)
        held.arrays(samples)
    if len(held.rough) == trials:
        raise ValueError(held.rough[0])
    return outcome.evidence()


@dataclass(frozen=True)
class _Held:
    """What f returns at a point, held against its values; all of it relative to f's own units."""

    outcome: Trials
    f: Any
    units: Units
    tolerance: float
    rounding: float
    """That of a value and of a gradient, relative to their size."""
    rough: list[str] = field(default_factory=list)
    """Points at which values are too rough to tell."""

    def forms(self, sample: Sample) -> None:
        """value_and_grad, dtype, library and device."""
        text = sample.text
        self._values(sample.value_together, sample.value, f"f.value_and_grad({text})[0] - f.value({text})")
        apart = float(np.abs(sample.slopes_together - sample.slopes).max())
        size, floor = float(np.abs(sample.slopes).max()), self._floor(sample)
        margin = (self.tolerance * size + floor - apart) / (size + floor + _TINY)
        self.outcome.add(margin, f"f.value_and_grad({text})[1] - f.grad({text})  # 0 up to rounding")
        for name, array in self._named(sample):
            alike = array_namespace(array) is array_namespace(sample.x) and array.dtype == sample.x.dtype
            alike = alike and device_of(array) == device_of(sample.x)
            self._demand(alike, f"({name}.dtype, type({name}))  # of the dtype and kind of x")

    def arrays(self, samples: list[Sample]) -> None:
        """After all calls, each x and each gradient is what it was, and no gradient shares the memory of its x."""
        for sample, other in zip(samples, samples[1:] + samples[:1], strict=True):
            text = sample.text
            kept = np.array_equal(to_numpy(sample.x), sample.before)
            calls = "f.value(x), f.grad(x), f.value_and_grad(x)"
            self._demand(kept, f"(lambda x, before: ({calls}, x - before)[-1])({text}, {text})  # 0")
            for (name, array), copied in zip(self._named(sample), (sample.slopes, sample.slopes_together), strict=True):
                survived = np.array_equal(to_numpy(array), copied, equal_nan=True)
                later = f"[(f.value_and_grad(y), f.grad(y)) for y in 2 * [{other.text}]]"
                self._demand(survived, f"(lambda g: (1 * g, {later}, g))({name})  # the last is to be the first")
                shared = np.shares_memory(to_numpy(array), to_numpy(sample.x))
                call = name.replace(text, "x")
                self._demand(not shared, f"(lambda x: np.shares_memory({call}, x))({text})  # False")

    def reference(self, sample: Sample, reference: Callable[[Any], Any]) -> None:
        """Value and gradient against automatic differentiation of f's definition."""
        expected, slopes = autograd_gradient(reference, sample.x)
        self._values(sample.value, expected, f"f.value({sample.text}) - ({expected!r})")
        self._each(sample, slopes, np.zeros(slopes.size), np.arange(slopes.size))

    def derivatives(self, sample: Sample, rng: np.random.Generator) -> None:
        """Coordinate by coordinate; where there are many, the rest along one direction of entries -1 and 1."""
        n = sample.slopes.size
        chosen = np.sort(rng.permutation(n)[:_COORDINATES])
        largest = float(np.abs(sample.slopes).max())
        enough = 0.1 * self.tolerance * largest
        pairs = [self._derivative(sample, np.eye(1, n, i)[0], enough) for i in chosen]
        derivatives, errors = np.array(pairs).reshape(-1, 2).T
        flat = 1e-3 * abs(sample.value) / max(1.0, float(np.abs(sample.before).max()))
        if not np.median(errors) <= _RESOLVED * max(largest, self.units.slope, flat):
            self.rough.append(
                f"check_gradient: values of {self.f!r} at {sample.text} are too rough to differentiate, error "
                f"{np.median(errors):.1e} against derivatives up to {largest:.1e}; give data in float64, or as x= a "
                "point about which f is smooth"
            )
            return
        told = np.isfinite(errors)  # elsewhere all steps leave the domain of f
        self._each(sample, derivatives[told], errors[told], chosen[told])
        if n > _COORDINATES:
            signs = rng.choice([-1.0, 1.0], n)
            derivative, error = self._derivative(sample, signs, enough)
            apart = abs(derivative - float(sample.slopes @ signs))
            allowed = self.tolerance * largest + 2 * error + self._floor(sample)
            self.outcome.add(
                (allowed - apart) / (largest + error + _TINY),
                f"f.grad({sample.text}) @ np.array({signs.tolist()!r}) - ({derivative!r})  # 0, up to {allowed:.2g}",
            )

    def _derivative(self, sample: Sample, direction: np.ndarray, enough: float) -> tuple[float, float]:
        """Of values along a direction, and its error."""

        def values(x: Array) -> np.ndarray:
            return np.array([self.f.value(x)])

        derivative, error = derivative_along(values, self.f, sample.x, direction, enough, sample.bend)
        return float(derivative[0]), float(error[0])

    def _each(self, sample: Sample, expected: np.ndarray, errors: np.ndarray, chosen: np.ndarray) -> None:
        """One trial for each derivative, relative to it; one of 0 is held to a millionth of the largest one."""
        apart = np.abs(sample.slopes[chosen] - expected)
        scale = np.abs(expected) + 1e-6 * float(np.abs(expected).max())
        allowed = self.tolerance * scale + 2 * errors + self._floor(sample)
        self.outcome.add_all(
            (allowed - apart) / (scale + allowed + _TINY),
            lambda k: f"f.grad({sample.text})[{chosen[k]}] - ({expected[k]})  # 0, up to {allowed[k]:.2g}",
        )

    def _values(self, value: float, expected: float, case: str) -> None:
        """Relative to the value, and to the range of f where an offset makes values large."""
        size = min(abs(expected), self.units.spread)
        floor = self.rounding * max(abs(expected), self.units.value)
        allowed = self.tolerance * size + floor
        margin = (allowed - abs(value - expected)) / (size + floor + _TINY)
        self.outcome.add(margin, f"{case}  # 0, up to {allowed:.2g}")

    def _floor(self, sample: Sample) -> float:
        """Rounding of a gradient, and of the point at which it is taken."""
        return self.rounding * (self.units.slope + sample.bend.curvature * float(np.abs(sample.before).max()))

    def _demand(self, fulfilled: bool, case: str) -> None:
        self.outcome.add(self.tolerance if fulfilled else -1.0, case)

    @staticmethod
    def _named(sample: Sample) -> tuple[tuple[str, Array], ...]:
        text = sample.text
        return ((f"f.grad({text})", sample.gradient), (f"f.value_and_grad({text})[1]", sample.gradient_together))


def _smooth() -> dict[str, Any]:
    data = np.random.default_rng(2)
    A, b = data.standard_normal((12, 6)), data.standard_normal(12)
    sparse = sp.csr_array(np.where(np.abs(A) > 0.7, A, 0.0))
    return {
        "LeastSquares": LeastSquares(A, b),
        "LeastSquares, average": LeastSquares(A, b, average=True),
        "LeastSquares, sparse": LeastSquares(sparse, b),
        "LeastSquares, wide": LeastSquares(A.T, b[:6]),
        "Logistic": Logistic(A, np.sign(b)),
        "Logistic, average": Logistic(A, np.sign(b), average=True),
        "an indefinite quadratic": Quadratic.random(data, 6),
    }


SMOOTH = _smooth()

CHECKS = tuple(
    Check(31, f"gradient and constants of {name}", partial(check_gradient, f, shape=getattr(f, "shape", (6,))))
    for name, f in SMOOTH.items()
)
