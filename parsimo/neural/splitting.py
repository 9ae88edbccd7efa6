"""The splitting x = z of some parameters: what P-ADMM keeps of them, and its steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from parsimo._array import top_k_mask
from parsimo.neural.plans import Target
from parsimo.neural.thresholds import Counts, thresholds, weight_for_threshold

__all__ = ["Split"]

_SAMPLE = 1_000_000  # magnitudes that a threshold is taken from while the support is not fixed


class Split:
    """x = z for the parameters of one target: z, and the anchor z - u that x is pulled to."""

    def __init__(self, target: Target, optimizer: torch.optim.Optimizer) -> None:
        self.target = target
        self.parameters: list[Tensor] = list(target.parameters)
        self.z: list[Tensor] = [p.detach().clone() for p in self.parameters]
        """The copy; once the support is fixed, 1 on it and 0 outside."""
        self.anchors: list[Tensor] = [p.detach().clone() for p in self.parameters]
        self.weights = [0.0] * len(self.parameters)
        self.least = math.inf
        """The smallest |x + u| that was kept when the support was fixed."""
        self.primal = self.dual = 0.0
        self.moved, self.nonzeros = 0, sum(target.sizes)
        self._groups = _groups_of(target, optimizer)
        self._waiting = dict.fromkeys(self._groups, 0.0)
        """For each group, the logarithm of what the steps that wait leave of x - anchor, negative."""

    def pull(self, rates: list[float], sigma: float, now: bool) -> None:
        """The proximal step of sigma/2 |x - anchor|^2 in the metric 1/lr; several of them at once where they wait.

        k steps of strength s in a row leave (1 + s)^-k of x - anchor: one fused operation for each group.
        """
        for group, places in self._groups.items():
            self._waiting[group] += math.log1p(rates[group] * sigma)
            if now:
                strength, self._waiting[group] = -math.expm1(-self._waiting[group]), 0.0
                torch._foreach_lerp_([self.parameters[i] for i in places], [self.anchors[i] for i in places], strength)

    def choose(self, sigma: float, share: float) -> None:
        """u <- u + x - z, then z <- prox at x + u with the weight that keeps the share."""
        shifted = self._shifted()
        self.weights = self._weights(shifted, sigma, share)
        z = [
            replace(self.target.sparse.penalty, weight=weight).prox(v, 1 / sigma)
            for v, weight in zip(shifted, self.weights, strict=True)
        ]
        self.primal = _norm(torch._foreach_sub(self.parameters, z))
        self.dual = _norm(torch._foreach_sub(z, self.z))
        self.nonzeros = sum(int(torch.count_nonzero(t)) for t in z)
        self.moved = sum(int(((a != 0) ^ (b != 0)).sum()) for a, b in zip(z, self.z, strict=True))
        # z - u = z + x - (x + u)
        self.anchors = list(torch._foreach_sub(torch._foreach_add(z, self.parameters), shifted))
        self.z = z

    def fix(self) -> None:
        """Keep exactly the budget of the largest |x + u|, and let go of the rest."""
        shifted = self._shifted()
        if not all(bool(torch.isfinite(v).all()) for v in shifted):
            raise FloatingPointError("compress: weights are NaN or infinite where the support is to be fixed")
        kept = [
            top_k_mask(v.abs().reshape(-1), n).reshape(v.shape)
            for v, n in zip(shifted, self._exactly(shifted), strict=True)
        ]
        self.least = min(float(v[k].abs().min()) for v, k in zip(shifted, kept, strict=True) if bool(k.any()))
        self.z = [k.to(p.dtype) for k, p in zip(kept, self.parameters, strict=True)]
        self.anchors = []
        self.nonzeros, self.moved, self.primal, self.dual = sum(int(k.sum()) for k in kept), 0, 0.0, 0.0
        self.settle()

    def hold(self) -> None:
        """What is outside the support is 0 again, of either sign."""
        torch._foreach_mul_(self.parameters, self.z)

    @torch.no_grad()
    def settle(self) -> None:
        """What is outside the support is +0."""
        self.hold()
        torch._foreach_add_(self.parameters, 0.0)

    def state_dict(self) -> dict[str, Any]:
        """z, the anchors, and what waits."""
        return {"z": list(self.z), "anchors": list(self.anchors), "least": self.least, "waiting": dict(self._waiting)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises
        ------
        ValueError
            If the state is that of other parameters.
        """
        shapes, own = ([tuple(t.shape) for t in tensors] for tensors in (state["z"], self.parameters))
        if shapes != own:
            raise ValueError(f"the state holds tensors of shapes {shapes}, but the plan is about {own}")
        self.z = [t.to(p) for t, p in zip(state["z"], self.parameters, strict=True)]
        anchors = zip(state["anchors"], self.parameters, strict=False)  # there are none once the support is fixed
        self.anchors = [t.to(p) for t, p in anchors]
        self.least, self._waiting = float(state["least"]), dict(state["waiting"])

    def _shifted(self) -> list[Tensor]:
        """x + u after u <- u + x - z, which is 2 x - anchor."""
        return list(torch._foreach_sub(torch._foreach_mul(self.parameters, 2.0), self.anchors))

    def _scopes(self, tensors: list[Tensor]) -> list[list[int]]:
        together = self.target.sparse.scope == "global"
        return [list(range(len(tensors)))] if together else [[i] for i in range(len(tensors))]

    def _thresholds(self, tensors: list[Tensor], share: float) -> list[float]:
        found = [0.0] * len(tensors)
        for scope in self._scopes(tensors):
            sizes = [tensors[i].numel() for i in scope]
            for i, t in zip(scope, thresholds([tensors[i] for i in scope], self._counts(sizes, share)), strict=True):
                found[i] = t
        return found

    def _counts(self, sizes: list[int], share: float) -> Counts:
        """Floors hold all the way; caps come down with the share, from all to what they are at the budget."""
        sparse = self.target.sparse
        progress = (1 - share) / sparse.budget if sparse.budget > 0 else 1.0
        cap = 1 - (1 - sparse.cap) * min(progress, 1.0)
        return Counts(sizes, share, sparse.floor, cap)

    def _weights(self, tensors: list[Tensor], sigma: float, share: float) -> list[float]:
        stride = max(sum(self.target.sizes) // _SAMPLE, 1)  # on the way, the share of a sample will do
        found = self._thresholds([v.reshape(-1)[::stride] for v in tensors], share)
        if any(math.isnan(t) for t in found):
            raise FloatingPointError("compress: weights are NaN where the sparse copy is to be chosen")
        known = {t: weight_for_threshold(self.target.sparse.penalty, t, 1 / sigma) for t in set(found)}
        return [known[t] for t in found]

    def _exactly(self, tensors: list[Tensor]) -> list[int]:
        """How many of each tensor are kept at the end: as thresholds say, ties decided so that the sum is exact."""
        share = 1 - self.target.sparse.budget
        found = self._thresholds(tensors, share)
        counts = [int((v.abs() > t).sum()) for v, t in zip(tensors, found, strict=True)]
        for scope in self._scopes(tensors):
            wanted = self._counts([self.target.sizes[i] for i in scope], share)
            excess = sum(counts[i] for i in scope) - wanted.total
            for position, i in enumerate(scope):
                room = counts[i] - wanted.floors[position] if excess > 0 else counts[i] - wanted.caps[position]
                change = min(excess, max(room, 0)) if excess > 0 else max(excess, min(room, 0))
                counts[i], excess = counts[i] - change, excess - change
        return counts


def _groups_of(target: Target, optimizer: torch.optim.Optimizer) -> dict[int, list[int]]:
    """The places of the parameters in each group of the optimizer, whose learning rate is theirs."""
    group_of = {id(p): g for g, group in enumerate(optimizer.param_groups) for p in group["params"]}
    groups: dict[int, list[int]] = {}
    for place, (name, parameter) in enumerate(zip(target.names, target.parameters, strict=True)):
        if id(parameter) not in group_of:
            raise ValueError(f"compress: {name} is not among the parameters of the optimizer; pass it to both")
        groups.setdefault(group_of[id(parameter)], []).append(place)
    return groups


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.hypot(*(float(torch.linalg.vector_norm(t)) for t in tensors))
