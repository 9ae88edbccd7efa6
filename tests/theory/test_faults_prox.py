"""Proxes broken on purpose: `check_prox` sees each, and its worst case shows it when pasted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting import fault

from parsimo import penalties
from parsimo.penalties import L1, MCP, Box, CappedL1, Clustering, Group, Lq, Spectral, ZeroNorm, ZeroNormBall
from parsimo.problems import phi
from parsimo.theory_checks import Evidence, check_prox, check_subdifferential
from parsimo.theory_checks.contract import name_of

BOOK = np.array([-1.0, 0.0, 0.3, 2.0])
KINKS = (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0)


def pasted(evidence: Evidence, g: Any) -> Any:
    """What the worst case evaluates to in a fresh shell that knows the classes."""
    return eval(evidence.worst_case, {**vars(penalties), type(g).__name__: type(g), "g": g, "np": np})


# ---- sums over coordinates


def late_steps(limit: float) -> Any:
    """MCP's formula of small steps, beyond the step where it ends but below `limit`: wrong in a narrow band."""

    def shrink(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
        a = self.flat_point
        band = (2 * tau >= a * a) & (2 * tau < limit * a * a)
        return np.where(band & (v > a), 0.0, MCP._shrink(self, v, tau))

    return shrink


def only_alone(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
    """Right for one entry; beside others the first entry's step is lost."""
    x = L1.prox(self, v, step_size)
    return x if v.size == 1 else L1.prox(self, v, 1.01 * np.asarray(step_size))


def first_step_for_all(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
    """An array of steps is read as its first entry."""
    return L1.prox(self, v, float(np.ravel(step_size)[0]))


def off_beyond(far: float) -> Any:
    return lambda self, v, t: Box.prox(self, v, t) + (1e-3 * (np.abs(v) > far)).astype(v.dtype)


def late_jump(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
    """Hard thresholding, one part in 1e6 late: seen only by inputs that are put beside the jump."""
    tau = np.sqrt(2 * self.weight * np.asarray(step_size)) * (1 + 1e-6)
    return np.where(np.abs(v) <= tau, 0.0, v)


def without_threshold(base: type, **methods: Any) -> type:
    cls = fault(base, **methods)
    cls.threshold = property(lambda self: (_ for _ in ()).throw(AttributeError("threshold")))  # type: ignore[attr-defined]
    return cls


def only_in(kind: Callable[[np.ndarray, Any], bool], wrong: Callable[[np.ndarray], np.ndarray], base: type = L1) -> Any:
    """The prox of `base`, but `wrong` of it for inputs of one kind."""

    def prox(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
        x = base.prox(self, v, step_size)  # type: ignore[attr-defined]
        return wrong(x).astype(v.dtype) if kind(v, step_size) else x

    return prox


def first_column_of_steps(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
    """A matrix of steps is read as its first column."""
    steps = np.broadcast_to(step_size[:, :1], v.shape) if np.ndim(step_size) == 2 else step_size
    return L1.prox(self, v, steps)


def kept_far_away(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
    """The root of a large number is taken for the number."""
    return np.where(np.abs(v) > 1e4, v, Lq.prox(self, v, step_size))


def heavier(base: type) -> Any:
    """The prox of a weight that is 1 % larger."""
    return lambda self, v, t: base.prox(self, v, 1.01 * np.asarray(t))  # type: ignore[attr-defined]


COORDINATES: dict[str, tuple[Any, tuple[float, ...]]] = {
    "MCP, wrong in a band of steps": (fault(MCP, _shrink=late_steps(1.5))(0.7, 0.8), (-0.8, 0.8)),
    "L1, wrong beside other entries": (fault(L1, prox=only_alone)(0.7), ()),
    "L1, one step for all": (fault(L1, prox=first_step_for_all)(0.7), ()),
    "box, wrong far away": (fault(Box, prox=off_beyond(20.0))(-0.5, 1.5), (-0.5, 1.5)),
    "zero norm, threshold late by 1e-6": (fault(ZeroNorm, prox=late_jump)(0.7), ()),
    "zero norm, late by 1e-6, no threshold told": (without_threshold(ZeroNorm, prox=late_jump)(0.7), ()),
    "L1, NaN at large arguments": (
        fault(L1, prox=lambda self, v, t: np.where(np.abs(v) > 50, np.nan, L1.prox(self, v, t)))(0.7),
        (),
    ),
    "L1, zero in matrices": (fault(L1, prox=only_in(lambda v, t: v.ndim == 2, lambda x: 0 * x))(0.7), ()),
    "L1, one column of steps for all": (fault(L1, prox=first_column_of_steps)(0.7), ()),
    "L1, zero in float32": (fault(L1, prox=only_in(lambda v, t: v.dtype == np.float32, lambda x: 0 * x))(0.7), ()),
    "L1, 1 % off in float32": (
        fault(L1, prox=only_in(lambda v, t: v.dtype == np.float32, lambda x: 1.01 * x))(0.7),
        (),
    ),
    "Lq, the identity far away": (fault(Lq, prox=kept_far_away)(0.7, 0.5), ()),
    "L1 of weight 1e-4, threshold 1 % late": (fault(L1, prox=heavier(L1))(1e-4), ()),
    "L1 of weight 1e-8, threshold 1 % late": (fault(L1, prox=heavier(L1))(1e-8), ()),
    "zero norm of weight 1e-8, 1 % late": (fault(ZeroNorm, prox=heavier(ZeroNorm))(1e-8), ()),
    "capped l1, prox_set without the flat branch": (
        fault(CappedL1, prox_set=lambda self, v, t: (float(CappedL1.prox(self, np.array([v]), t)[0]),))(0.7, 0.8),
        (-0.8, 0.8),
    ),
    "clusters, prox_set with the upper one of two": (
        fault(Clustering, prox_set=lambda self, v, t: Clustering.prox_set(self, v, t)[-1:])(0.7, BOOK),
        KINKS,
    ),
}


@pytest.mark.parametrize("name", COORDINATES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_faulty_prox_of_numbers_is_seen(name: str, seed: int):
    g, breakpoints = COORDINATES[name]
    evidence = check_prox(g, seed, breakpoints=breakpoints)
    assert evidence.verdict == "fails", evidence
    assert np.size(pasted(evidence, g)) >= 1


def test_the_worst_case_reproduces_the_excess():
    """Pasted, it gives the returned point; the better point and the objective are in the comment."""
    g = fault(MCP, _shrink=late_steps(1.5))(0.7, 0.8)
    evidence = check_prox(g, 0, breakpoints=(-0.8, 0.8))
    call, comment = evidence.worst_case.split("  # returns ")
    assert call.startswith("FaultyMCP(weight=0.7, flat_point=0.8).prox(np.array([")
    v, step = (float(number) for number in call.split("np.array([")[1].replace("])", "").rstrip(")").split(", "))
    better, least = comment.split(" than ")[1].split(", where the objective is ")
    x = float(pasted(evidence, g)[0])
    excess = g.value(np.array([x])) + (x - v) ** 2 / (2 * step) - float(least)
    assert g.value(np.array([float(better)])) + (float(better) - v) ** 2 / (2 * step) == pytest.approx(float(least))
    at_zero, at_v = v * v / (2 * step), g.value(np.array([v]))
    scale = max(float(least), min(at_zero, at_v) - float(least))
    assert evidence.margin == pytest.approx(1e-9 - excess / scale)


def test_a_fault_beside_others_is_pasted_with_them():
    evidence = check_prox(fault(L1, prox=only_alone)(0.7), 0)
    assert evidence.worst_case.split("  #")[0].endswith("]")
    assert evidence.worst_case.count(",") > 10


def test_a_penalty_whose_repr_says_nothing_is_called_g():
    class Plain(L1):
        def __repr__(self) -> str:
            return "<a penalty>"

    assert check_prox(Plain(0.7), 0, 200).worst_case.startswith("g.prox")


def test_the_tolerance_the_steps_and_the_trials_are_used():
    g = fault(ZeroNorm, prox=late_jump)(0.7)
    assert check_prox(g, 0, tolerance=1e-4).holds
    assert check_prox(fault(MCP, _shrink=late_steps(1.5))(0.7, 0.8), 0, steps=(1e-3, 0.4)).holds
    few, many = check_prox(L1(0.7), 0, 100), check_prox(L1(0.7), 0, 1000)
    assert 100 <= few.trials < 1000 <= many.trials


def test_a_lower_bound_widens_the_search():
    """L1 minus 1: without the bound the check would not know how far to look."""

    class Lowered(L1):
        def terms(self, x: np.ndarray) -> np.ndarray:
            return super().terms(x) - 1.0

    assert check_prox(Lowered(0.7), 0, 400, lower=-1.0).holds


# ---- arrays


def group_threshold(factor: float) -> Any:
    def prox(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
        return Group.prox(self, v, factor * step_size)

    return prox


def mean_step(base: type) -> Any:
    """An array of steps is read as its mean."""
    return lambda self, v, t: base.prox(self, v, float(np.mean(t)))  # type: ignore[attr-defined]


def lists(base: type, most: int) -> Any:
    """No more than so many minimizers are listed."""
    return lambda self, v, t: base.prox_set(self, v, t)[:most]  # type: ignore[attr-defined]


def wrong_direction(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    """Each group's norm is right; its sign is that of its mean."""
    x = Group.prox(self, v, step_size)
    norms = self.norms(x)
    sizes = np.sqrt(np.bincount(self.labels))
    return ((norms / sizes)[self.labels] * np.where(v < 0, -1.0, 1.0)).astype(v.dtype)


def no_rotation(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    """Singular values of the l1 norm shrunk entry by entry."""
    return np.sign(v) * np.maximum(np.abs(v) - 0.7 * step_size, 0.0)


def smallest_kept(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    order = np.argsort(np.abs(v))
    x = np.zeros_like(v)
    x[order[: self.k]] = v[order[: self.k]]
    return x


def first_kept(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    return np.where(np.arange(v.size) < self.k, v, 0.0)


class Simplex:
    """The indicator of {x >= 0, sum x = 1}; its prox is the projection, or a clipped and rescaled vector."""

    def __init__(self, right: bool) -> None:
        self.right = right

    def value(self, x: np.ndarray) -> float:
        return 0.0 if x.min() >= 0 and abs(x.sum() - 1) <= 1e-12 else math.inf

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        if np.ndim(step_size):
            raise TypeError("the projection has one step")
        if self.right:
            rising = np.sort(v)[::-1]
            shift = (np.cumsum(rising) - 1) / np.arange(1, v.size + 1, dtype=v.dtype)
            return np.maximum(v - shift[rising > shift][-1], 0)
        clipped = np.maximum(v, 1e-3)
        return clipped / clipped.sum()


LABELS = np.array([0, 0, 1, 1])
ARRAYS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "group lasso, step 1 % too long": (fault(Group, prox=group_threshold(1.01))(L1(0.7), LABELS), (4,)),
    "group zero norm, step halved": (fault(Group, prox=group_threshold(0.5))(ZeroNorm(0.7), LABELS), (4,)),
    "group MCP, step doubled": (fault(Group, prox=group_threshold(2.0))(MCP(0.7, 0.8), LABELS), (4,)),
    "groups, wrong direction": (fault(Group, prox=wrong_direction)(L1(0.1), LABELS), (4,)),
    "nuclear norm, entry by entry": (fault(Spectral, prox=no_rotation)(L1(0.7), (3, 4)), (3, 4)),
    "rank, step halved": (
        fault(Spectral, prox=lambda self, v, t: Spectral.prox(self, v, t / 2))(ZeroNorm(0.7), (3, 4)),
        (3, 4),
    ),
    "at most k, the smallest": (fault(ZeroNormBall, prox=smallest_kept)(2), (5,)),
    "at most k, the first": (fault(ZeroNormBall, prox=first_kept)(2), (5,)),
    "at most k, a worse point listed": (
        fault(ZeroNormBall, prox_set=lambda self, v, t: (ZeroNormBall.prox(self, v, t), np.zeros_like(v)))(2),
        (5,),
    ),
    "at most k, mean of the steps": (fault(ZeroNormBall, prox=mean_step(ZeroNormBall))(2), (5,)),
    "groups, mean of the steps": (fault(Group, prox=mean_step(Group))(L1(0.7), LABELS), (4,)),
    "at most k, one of all listed": (fault(ZeroNormBall, prox_set=lists(ZeroNormBall, 1))(2), (5,)),
    "at most k, two of all listed": (fault(ZeroNormBall, prox_set=lists(ZeroNormBall, 2))(2), (5,)),
    "group zero norm, one of two listed": (fault(Group, prox_set=lists(Group, 1))(ZeroNorm(0.7), LABELS), (4,)),
    "group MCP, one of two listed": (fault(Group, prox_set=lists(Group, 1))(MCP(0.7, 0.8), LABELS), (4,)),
    "rank, one of two listed": (fault(Spectral, prox_set=lists(Spectral, 1))(ZeroNorm(0.7), (3, 4)), (3, 4)),
    "group lasso of weight 1e-6, 1 % late": (fault(Group, prox=group_threshold(1.01))(L1(1e-6), LABELS), (4,)),
    "group lasso, zero in float32": (
        fault(Group, prox=only_in(lambda v, t: v.dtype == np.float32, lambda x: 0 * x, Group))(L1(0.7), LABELS),
        (4,),
    ),
    "simplex, rescaled": (Simplex(right=False), (3,)),
    "prox is the identity": (fault(Group, prox=lambda self, v, t: v + 0.0)(L1(0.7), LABELS), (4,)),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_faulty_prox_of_arrays_is_seen(name: str, seed: int):
    g, shape = ARRAYS[name]
    evidence = check_prox(g, seed, shape=shape)
    assert evidence.verdict == "fails", evidence
    pasted(evidence, g)


def test_a_right_prox_of_arrays_holds():
    """On a domain that lines leave at once, and in a matrix that is larger than those of the standard checks."""
    assert check_prox(Simplex(right=True), 0, shape=(3,)).holds
    assert check_prox(Spectral(MCP(0.7, 0.8), (3, 5)), 0, 10, shape=(3, 5)).holds


@pytest.mark.parametrize("weight", [1e-8, 1e-4, 1e4])
def test_right_proxes_of_any_scale_hold(weight: float):
    """In matrices, in float32 and far away too; where the objective is that small, rounding is no fault."""
    for g, breakpoints in (
        (L1(weight), ()),
        (ZeroNorm(weight), ()),
        (Lq(weight, 0.5), ()),
        (MCP(weight, 0.8), (-0.8, 0.8)),
        (Clustering(weight, BOOK), KINKS),
    ):
        evidence = check_prox(g, 0, breakpoints=breakpoints)
        assert evidence.holds, evidence
    for g in (Group(ZeroNorm(weight), LABELS), Group(L1(weight), LABELS)):
        evidence = check_prox(g, 0, 12, shape=4)
        assert evidence.holds, evidence


@pytest.mark.parametrize("seed", range(3))
def test_right_lists_hold_where_ties_abound(seed: int):
    for g, shape in (
        (ZeroNormBall(3), 5),
        (Group(ZeroNorm(0.7), np.array([0, 1, 2, -1])), 4),
        (Spectral.rank(0.7, (3, 4)), (3, 4)),
    ):
        evidence = check_prox(g, seed, shape=shape)
        assert evidence.holds, evidence


def test_a_prox_that_takes_an_array_of_steps_must_solve_it():
    class Taking(Simplex):
        def prox(self, v: np.ndarray, step_size: Any) -> np.ndarray:
            return super().prox(v, float(np.mean(step_size)))

    assert check_prox(Taking(right=True), 0, shape=(3,)).verdict == "fails"


def test_one_number_is_a_breakpoint_and_a_shape():
    assert check_prox(MCP(0.7, 1.0), 0, 100, breakpoints=1.0) == check_prox(MCP(0.7, 1.0), 0, 100, breakpoints=(1.0,))
    ball = ZeroNormBall(2)
    assert check_prox(ball, 0, 2, shape=5) == check_prox(ball, 0, 2, shape=(5,))
    assert check_subdifferential(ball, 0, 2, shape=5) == check_subdifferential(ball, 0, 2, shape=(5,))


def test_names_that_can_be_pasted_and_names_that_cannot():
    rng = np.random.default_rng(0)
    book = np.sort(rng.normal(size=5))
    for g in (Box(), Clustering(0.1, book), Group(MCP(0.7, 0.8), LABELS, rng.random(2)), Spectral.rank(0.7, (2, 3))):
        like = eval(name_of(g), {**vars(penalties), "np": np})
        assert repr(like) == repr(g)
    assert np.array_equal(eval(name_of(Clustering(0.1, book)), {**vars(penalties), "np": np}).codebook, book)

    class Here(L1):
        """Its repr holds "<locals>"."""

    mine = phi.custom(lambda t: (np.exp(3 * t) - 1) / (np.exp(3.0) - 1), "mine").penalty(0.7, 0.8)
    for g in (object(), Here(0.7), Clustering(0.1, np.arange(3000.0)), mine, 3.0):
        assert name_of(g) == "g"
    assert name_of(phi.log().penalty(0.7, 0.8)) == "FAMILY['log'].penalty(0.7, 0.8)"
