"""When what happens in a run of so many optimizer steps."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Weights are coupled to a sparse copy, which grows sparser, until the support is fixed and trained on.

    Parameters
    ----------
    steps : int
        Optimizer steps of the whole run.
    span : pair of float
        0 <= begin < end <= 1: shares of the run between which the sparsity rises from 0 to the budget. From the end on
        the support is fixed.
    sigma : pair of float
        Coupling at the start and at the end of the span, growing geometrically, in units of 1 / learning rate.
    every : int
        Optimizer steps from one choice of the copy to the next.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    steps: int
    span: tuple[float, float] = (0.1, 0.6)
    sigma: tuple[float, float] = (1.0, 30.0)
    every: int = 50

    def __post_init__(self) -> None:
        for name in ("steps", "every"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
        if len(self.span) != 2 or not 0 <= self.span[0] < self.span[1] <= 1:
            raise ValueError(f"span must be two shares of the run, 0 <= begin < end <= 1, got {self.span}")
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma must be a rising pair of positive numbers, got {self.sigma}")

    @property
    def coupled(self) -> int:
        """Steps until the support is fixed."""
        return max(round(self.span[1] * self.steps), 1)

    def is_due(self, step: int) -> bool:
        """Whether the copy is chosen anew after so many steps."""
        return step % self.every == 0 and step < self.coupled

    def sigma_at(self, step: int) -> float:
        """The coupling after so many steps."""
        low, high = self.sigma
        return float(low * (high / low) ** min(step / self.coupled, 1.0))

    def kept(self, step: int, budget: float) -> float:
        """The share that is kept: 1 - budget (1 - (1 - p)^3), p rising linearly from 0 to 1 over the span."""
        begin = self.span[0] / self.span[1]
        p = min(max((step / self.coupled - begin) / (1 - begin), 0.0), 1.0)
        return 1 - budget * (1 - (1 - p) ** 3)
