"""jaxopt: any loss that jax can differentiate, and prox_lasso. Tolerance: the step, in units of a gradient."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxopt import ProximalGradient
from jaxopt.prox import prox_lasso

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import Contestant

jax.config.update("jax_enable_x64", True)
_MANY = 1_000_000


def proximal_gradient(case: Case) -> Contestant:
    """Accelerated, with its own line search. Each tolerance is compiled before the clock starts."""
    (alpha,) = case.parameters
    A, b = jnp.asarray(case.A), jnp.asarray(case.b)
    x0 = jnp.zeros(case.shape[1])
    size = float(np.linalg.norm(case.slopes_at_zero))

    def loss(x: jax.Array, A: jax.Array, b: jax.Array) -> jax.Array:
        if case.loss == "squares":
            return 0.5 * jnp.mean((A @ x - b) ** 2)
        return jnp.mean(jnp.logaddexp(0.0, -b * (A @ x)))

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        solver = ProximalGradient(loss, prox_lasso, tol=tolerance * size, maxiter=_MANY)
        compiled = jax.jit(lambda x0, A, b: solver.run(x0, alpha, A, b).params).lower(x0, A, b).compile()
        return lambda: np.asarray(compiled(x0, A, b))[None, :]

    return Contestant(at, lambda x, k: float(loss(jnp.asarray(x), A, b)) + alpha * float(np.abs(x).sum()))
