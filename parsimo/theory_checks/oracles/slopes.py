"""One-sided slopes of many functions of a number at once, from their values alone, each with its error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["one_sided_slopes"]

_WIDTHS = 11  # of the differences: from a sixteenth of the room down to 16^-11 of it, 6e-14
_SHRINK = 16.0  # from one width to the next
_ULPS = 32.0  # what the rounding of a value may amount to
_STAYS = 0.9  # of a change, from one width to the next, where it does not fall
_SEEN = 8.0  # roundings, above which a change of a quotient is one


def one_sided_slopes(
    values: Callable[[np.ndarray], np.ndarray], x: np.ndarray, side: int, room: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """lim (g_i(x_i + side h) - g_i(x_i)) / h as h > 0 falls to 0, for each entry.

    Of difference quotients for widths h that fall by 16, two in a row give a value whose error falls like h^2, and
    three such values in a row the error of the middle one; the width of the least error is taken. Infinity is found by
    its growth: for a slope that is finite the changes from width to width fall to nothing, like a power of h; for that
    of a jump they rise, for that of a root too, and for x log x they stay. So a slope is infinite if the changes do not
    fall as long as rounding lets them be seen.

    Parameters
    ----------
    values : callable
        The values of all functions, entry by entry, for a stack of arrays of the shape of x.
    x : array
        Points where they are finite.
    side : int
        1 for the slope to the right, -1 for that to the left.
    room : array of the shape of x
        How far each function has no other kink or jump.
    level : float
        The size of numbers that values are differences of; the rounding of larger values is that of the values.

    Returns
    -------
    slopes, errors : arrays of the shape of x
        An error of infinity says that nothing is known.
    """
    here = values(x[None])[0]
    moved = x + side * room * (_SHRINK ** -np.arange(1.0, _WIDTHS + 1)).reshape(-1, *np.ones(x.ndim, dtype=int))
    width, there = np.abs(moved - x), values(moved)
    known = width > 0
    size = np.maximum(np.maximum(np.abs(here), np.where(np.isfinite(there), np.abs(there), 0.0)), level)
    safe = np.where(known, width, 1.0)
    q = np.where(known, (there - here) / safe, np.nan)
    rounding = np.where(known, _ULPS * np.finfo(np.float64).eps * size / safe, np.inf)
    slopes, errors = _extrapolated(q, rounding)
    growth = _growth(q, rounding)
    return np.where(growth == 0, slopes, np.copysign(np.inf, growth)), np.where(growth == 0, errors, 0.0)


def _extrapolated(q: np.ndarray, rounding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best of the values (16 q(h/16) - q(h)) / 15, and its error."""
    with np.errstate(invalid="ignore"):  # of infinite quotients
        better = (_SHRINK * q[1:] - q[:-1]) / (_SHRINK - 1)
        changes = np.abs(np.diff(better, axis=0))
        errors = np.maximum(changes[:-1], changes[1:]) + 2 * rounding[2:-1]
    errors = np.where(np.isnan(errors), np.inf, errors)
    best = errors.argmin(axis=0)[None]
    return np.take_along_axis(better[1:-1], best, axis=0)[0], np.take_along_axis(errors, best, axis=0)[0]


def _growth(q: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """The sign of an infinite slope, 0 for a finite one."""
    with np.errstate(invalid="ignore"):
        changes = np.diff(q, axis=0)
    visible = _SEEN * (rounding[:-1] + rounding[1:])
    seen = np.abs(changes) > visible  # the NaN between two infinite quotients is not
    growth, finest = np.zeros(q.shape[1:]), q[0]
    for k in range(1, len(changes)):  # the last change that is seen decides
        last = changes[k]
        grows = seen[k - 1] & (last * np.sign(changes[k - 1]) >= _STAYS * np.abs(changes[k - 1]))
        if k + 1 < len(changes):  # what stops although it could be seen to go on has stopped
            grows &= _STAYS * np.abs(last) <= np.where(seen[k + 1], np.inf, visible[k + 1])
        growth = np.where(seen[k], np.where(grows, np.sign(last), 0.0), growth)
    for quotient in q:
        finest = np.where(np.isnan(quotient), finest, quotient)
    return np.where(np.isinf(finest), np.sign(finest), growth)
