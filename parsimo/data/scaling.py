"""Columns of one scale, so that one price suits all of their coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.data.tables import Table

__all__ = ["Scaled"]


@dataclass(frozen=True)
class Scaled:
    """A table in the scale it is solved in: columns centered (where dense) and of root mean square 1."""

    matrix: Any
    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, table: Table) -> Scaled:
        """A constant column keeps the scale 1, and gets the coefficient 0 once it is centered."""
        import scipy.sparse as sp  # takes long to import

        matrix: Any = table.matrix
        rows = matrix.shape[0]
        if sp.issparse(matrix):  # centering would fill it
            scale = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).reshape(-1) / rows)
            scale = np.where(scale > 0, scale, 1.0)
            return cls((matrix @ sp.diags_array(1 / scale)).tocsr(), np.zeros(matrix.shape[1]), scale)
        center = matrix.mean(axis=0)
        centered = matrix - center
        scale = np.sqrt((centered**2).mean(axis=0))
        scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(center)), scale, 1.0)
        return cls(centered / scale, center, scale)
