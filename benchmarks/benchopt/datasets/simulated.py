"""Gaussian designs of parsimo's, with correlated columns and a known truth."""

from typing import Any, ClassVar

import numpy as np
from benchopt import BaseDataset

from parsimo.problems import instances


class Dataset(BaseDataset):
    """`parsimo.problems.instances.gaussian`."""

    name = "simulated"
    parameters: ClassVar = {"rows, columns, nonzeros": [(200, 500, 10)], "correlation": [0.5], "seed": [0]}
    test_parameters: ClassVar = {"rows, columns, nonzeros": [(30, 50, 3)]}
    requirements = ("pip::parsimo",)

    def get_data(self) -> dict[str, Any]:
        """A and b."""
        f = instances.gaussian(self.rows, self.columns, self.nonzeros, self.correlation, seed=self.seed).f
        return {"A": np.asfortranarray(f.design.A), "b": np.asarray(f.targets)}
