"""Update rules: how one gradient changes theta. These NumPy definitions, in float64, are the reference for the C core.

A rule knows neither time nor settings: what changes from step to step are its coefficients, which an optimizer computes
(`Optimizer.coefficients`). To add a rule, write its function here, list it in `RULES`, and add its entry to
`csrc/tables/rules.h`.

Every rule takes theta, g (size,), slots (n_slots, size) and c (n_coefficients,), all of one dtype; theta and slots are
changed in place, g is not. "g with weight_decay" stands for g + weight_decay theta, an L2 penalty. shrink is 1 - lr
weight_decay if that is decoupled (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019), else 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._common.typing import Array


def sgd(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """theta <- theta - lr (g + weight_decay theta); c = (lr, weight_decay); no slots.

    Decoupled weight decay is the same: (1 - lr weight_decay) theta - lr g.

    References
    ----------
    Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22, 1951.
    """
    lr, weight_decay = c
    theta -= lr * (g + weight_decay * theta)


def momentum(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """v <- momentum v + gain g; theta <- shrink theta - lr (g_part g + v_part v); g with weight_decay.

    c = (lr, weight_decay, momentum, gain, g_part, v_part, shrink); slots (1, size) = v.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013: Nesterov.
    """
    lr, weight_decay, mu, gain, g_part, v_part, shrink = c
    (v,) = slots
    g = g + weight_decay * theta
    v *= mu
    v += gain * g
    theta *= shrink
    theta -= lr * (g_part * g + v_part * v)


def rmsprop(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """v <- alpha v + gain g^2; theta <- shrink theta - lr g / (sqrt(v) + eps); g with weight_decay.

    c = (lr, weight_decay, alpha, gain, eps, shrink); slots (1, size) = v. RMSprop has gain = 1 - alpha, a
    running mean of g^2; Adagrad has alpha = gain = 1, the sum of all g^2.

    References
    ----------
    Tieleman & Hinton, "Lecture 6.5: rmsprop", Coursera, 2012.
    Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12,
    2011.
    """
    lr, weight_decay, alpha, gain, eps, shrink = c
    (v,) = slots
    g = g + weight_decay * theta
    v *= alpha
    v += gain * g * g
    theta *= shrink
    theta -= lr * g / (np.sqrt(v) + eps)


def rmsprop_momentum(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """v <- alpha v + gain g^2; b <- momentum b + g / (sqrt(v) + eps); theta <- shrink theta - lr b.

    c = (lr, weight_decay, alpha, gain, eps, momentum, shrink), g with weight_decay; slots (2, size) = v, b.

    References
    ----------
    As for `rmsprop`; momentum as in Graves, "Generating sequences with recurrent neural networks", 2013.
    """
    lr, weight_decay, alpha, gain, eps, mu, shrink = c
    v, b = slots
    g = g + weight_decay * theta
    v *= alpha
    v += gain * g * g
    b *= mu
    b += g / (np.sqrt(v) + eps)
    theta *= shrink
    theta -= lr * b


def rmsprop_centered(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """v, m <- running means of g^2, g; b <- momentum b + g / (sqrt(v - m^2) + eps); theta <- shrink theta - lr b.

    c = (lr, weight_decay, alpha, gain, eps, momentum, shrink), g with weight_decay; slots (3, size) = v, m, b. v - m^2
    is a variance; where rounding makes it negative it is replaced by 0.

    References
    ----------
    Graves, "Generating sequences with recurrent neural networks", 2013, equations 38 to 41.
    """
    lr, weight_decay, alpha, gain, eps, mu, shrink = c
    v, m, b = slots
    g = g + weight_decay * theta
    v *= alpha
    v += gain * g * g
    m *= alpha
    m += gain * g
    b *= mu
    b += g / (np.sqrt(np.maximum(v - m * m, 0)) + eps)
    theta *= shrink
    theta -= lr * b


def adadelta(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """v <- rho v + gain g^2; d = g sqrt(u + eps) / sqrt(v + eps); u <- rho u + gain d^2; theta <- shrink theta - lr d.

    c = (lr, weight_decay, rho, gain, eps, shrink) with gain = 1 - rho, g with weight_decay; slots (2, size) = v, u.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.
    """
    lr, weight_decay, rho, gain, eps, shrink = c
    v, u = slots
    g = g + weight_decay * theta
    v *= rho
    v += gain * g * g
    d = g * (np.sqrt(u + eps) / np.sqrt(v + eps))
    u *= rho
    u += gain * d * d
    theta *= shrink
    theta -= lr * d


def adam(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """theta <- shrink theta - step_size m / (sqrt(v) inv_sqrt_bc2 + eps); g with weight_decay.

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2 before it.
    c = (step_size, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, inv_sqrt_bc2, eps, shrink) with
    step_size = lr / (1 - beta1^t) and inv_sqrt_bc2 = 1 / sqrt(1 - beta2^t); slots (2, size) = m, v.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """
    step_size, weight_decay, beta1, gain1, beta2, gain2, inv_sqrt_bc2, eps, shrink = c
    m, v = slots
    g = g + weight_decay * theta
    m *= beta1
    m += gain1 * g
    v *= beta2
    v += gain2 * g * g
    theta *= shrink
    theta -= step_size * m / (np.sqrt(v) * inv_sqrt_bc2 + eps)


def amsgrad(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """`adam` that divides by the largest v so far: v_max <- max(v_max, v), and sqrt(v_max) instead of sqrt(v).

    c as in `adam`; slots (3, size) = m, v, v_max.

    References
    ----------
    Reddi, Kale & Kumar, "On the convergence of Adam and beyond", ICLR 2018, algorithm 2.
    """
    step_size, weight_decay, beta1, gain1, beta2, gain2, inv_sqrt_bc2, eps, shrink = c
    m, v, v_max = slots
    g = g + weight_decay * theta
    m *= beta1
    m += gain1 * g
    v *= beta2
    v += gain2 * g * g
    np.maximum(v_max, v, out=v_max)
    theta *= shrink
    theta -= step_size * m / (np.sqrt(v_max) * inv_sqrt_bc2 + eps)


def nadam(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """m, v as in `adam`; theta <- shrink theta - (m_size m + g_size g) / (sqrt(v) inv_sqrt_bc2 + eps).

    c = (m_size, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, inv_sqrt_bc2, eps, shrink, g_size), g with
    weight_decay; slots (2, size) = m, v.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2.
    """
    m_size, weight_decay, beta1, gain1, beta2, gain2, inv_sqrt_bc2, eps, shrink, g_size = c
    m, v = slots
    g = g + weight_decay * theta
    m *= beta1
    m += gain1 * g
    v *= beta2
    v += gain2 * g * g
    theta *= shrink
    theta -= (m_size * m + g_size * g) / (np.sqrt(v) * inv_sqrt_bc2 + eps)


def lion(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """theta <- shrink theta - lr sign(beta1 m + (1 - beta1) g); m <- beta2 m + (1 - beta2) g; sign(0) = 0.

    c = (lr, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, shrink), g with weight_decay; slots (1, size) = m.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.
    """
    lr, weight_decay, beta1, gain1, beta2, gain2, shrink = c
    (m,) = slots
    g = g + weight_decay * theta
    theta *= shrink
    theta -= lr * np.sign(beta1 * m + gain1 * g)
    m *= beta2
    m += gain2 * g


def muon(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """`adam`, for the parameters that are no W or are not to be orthogonalized; for the others see `orthogonal.muon`.

    c as in `adam`, then four zeros; slots (2, size) = m, v.
    """
    adam(theta, g, slots, c[:9])


Rule = Callable[[Array, Array, Array, Array], None]
RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (sgd, momentum, rmsprop, rmsprop_momentum, rmsprop_centered, adadelta, adam, amsgrad, nadam, lion, muon)
}
