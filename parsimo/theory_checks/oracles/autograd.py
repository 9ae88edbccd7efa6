"""Gradients by automatic differentiation, in double precision: of a function written from its definition in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parsimo._array import to_numpy

__all__ = ["autograd_gradient"]


def autograd_gradient(function: Callable[[Any], Any], x: Any) -> tuple[float, np.ndarray]:
    """Value and gradient at x of a function that maps a float64 torch tensor to a 0-d one.

    Parameters
    ----------
    function : callable
        Written in torch from the definition of the loss, apart from the code under test.
    x : array
        Of any library; it is copied.

    Raises
    ------
    ImportError
        If torch is absent: `pip install "parsimo[neural]"`.
    TypeError
        If the function returns anything but a 0-d tensor that depends on its argument.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError('autograd_gradient needs torch: pip install "parsimo[neural]"') from error

    argument = torch.tensor(to_numpy(x), dtype=torch.float64, requires_grad=True)
    value = function(argument)
    if not isinstance(value, torch.Tensor) or value.ndim != 0 or not value.requires_grad:
        raise TypeError(
            f"autograd_gradient: function must return a 0-d tensor that depends on its argument, got {value!r}; "
            "write it in torch operations, without .item(), .detach() or numpy"
        )
    (gradient,) = torch.autograd.grad(value, argument)
    return value.item(), gradient.numpy()
