"""What a global oracle hands back: a point, its value, and a proven lower bound of the optimal value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Bound"]


@dataclass(frozen=True, eq=False)
class Bound:
    """lower <= min F <= value = F(x).

    Raises
    ------
    ValueError
        If the lower bound exceeds the value, or one of them is NaN.
    """

    value: float
    """F(x), evaluated at x from the data, not taken from a solver's report."""
    lower: float
    """No point has a smaller value; tolerances of the method are subtracted already. -inf where nothing is proved."""
    x: np.ndarray
    """The best point found, of shape (n,)."""
    source: str
    """The method, and what its lower bound rests on, such as "SCIP 10.0, big-M from the level set"."""
    seconds: float
    """Wall time."""

    def __post_init__(self) -> None:
        if math.isnan(self.value) or math.isnan(self.lower):
            raise ValueError(f"Bound: value={self.value}, lower={self.lower}; {self.source} must give numbers")
        if self.lower > self.value:
            raise ValueError(f"Bound: lower={self.lower} exceeds value={self.value}, which {self.source} attains")

    @property
    def gap(self) -> float:
        """How far x is from optimal at most."""
        return self.value - self.lower
