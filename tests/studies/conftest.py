"""Studies small enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = """
title = "Small"
seeds = [3, 5]
tolerance = 1e-4

[stop]
iterations = 60

[[problems]]
name = "lasso"
instance = "gaussian"
parameters = { rows = 20, columns = 30, nonzeros = 3 }
penalty = { name = "L1", weight = "max/10" }

[[problems]]
name = "counting"
instance = "gaussian"
parameters = { nonzeros = 3, columns = 30 }
sizes = [{ rows = 20 }, { rows = 25 }]
penalty = { name = "ZeroNorm", weight = 0.01 }

[[solvers]]
solver = "ProximalGradient"

[[solvers]]
name = "inexact"
solver = "ProximalADMM"
parameters = { x_step = { name = "Inexact", accuracy = 0.5 }, proximal_z = 0.1 }
only = ["lasso"]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small study, or another text, with some of its words replaced."""

    def write_study(text: str = SMALL, **replaced: str) -> Path:
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "small.toml"
        path.write_text(text)
        return path

    return write_study
