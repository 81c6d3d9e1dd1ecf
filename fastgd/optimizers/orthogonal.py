"""Rules for whole matrices W: their steps depend on all elements of the gradient of W, not on one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .._common.typing import Array


def orthogonalize(G: Array, coefficients: Array, steps: int, eps: float) -> Array:
    """U V^T, approximately, where G = U S V^T is the singular value decomposition of G (m, n).

    Newton-Schulz: X <- G / max(|G|, eps) in the Frobenius norm, then `steps` times X <- a X + (b A + c A^2) X with
    A = X X^T, for X wide; a tall one is transposed. With the coefficients of Muon the singular values are not 1, but
    come close to it in few steps: most are between 0.7 and 1.2.

    Parameters
    ----------
    coefficients : (3,)
        a, b and c.

    References
    ----------
    Bernstein & Newhouse, "Old optimizer, new norm: an anthology", 2024.
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    """
    a, b, c = coefficients
    is_tall = G.shape[0] > G.shape[1]
    X = G.T if is_tall else G
    norm = np.sqrt(np.square(X, dtype=np.float64).sum())
    X = X * G.dtype.type(1 / max(norm, eps))
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    orthogonal: Array = X.T if is_tall else X
    return orthogonal


def muon(W: Array, g: Array, slots: Sequence[Array], c: Array) -> None:
    """m <- momentum m + (1 - momentum) g; W <- shrink W - lr ratio orthogonalize(g_part g + m_part m).

    W and g (n_in, n_out), g with weight_decay; slots m, u (n_in, n_out), u being the argument of `orthogonalize`.
    c = (lr, weight_decay, momentum, 1 - momentum, g_part, m_part, a, eps, shrink, b, c, steps, rms); a, b, c, steps and
    eps are those of `orthogonalize`. ratio is sqrt(max(1, n_out / n_in)), or if rms > 0 rms sqrt(max(n_in, n_out)).

    References
    ----------
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    Liu et al., "Muon is scalable for LLM training", 2025: the second ratio, with rms = 0.2.
    """
    lr, weight_decay, mu, gain, g_part, m_part, a, eps, shrink, b, c2, steps, rms = c
    m, u = slots
    n_in, n_out = W.shape
    g = g + weight_decay * W
    m *= mu
    m += gain * g
    u[...] = g_part * g + m_part * m
    ratio = rms * np.sqrt(max(n_in, n_out)) if rms > 0 else np.sqrt(max(1, n_out / n_in))
    W *= shrink
    W -= W.dtype.type(lr * ratio) * orthogonalize(u, np.array([a, b, c2]), int(steps), float(eps))


MatrixRule = Callable[[Array, Array, Sequence[Array], Array], None]
MATRIX_RULES: dict[str, MatrixRule] = {"muon": muon}
# Of the coefficients of such a rule, the one that is 0 for parameters that it updates element by element.
STEPS = 11
