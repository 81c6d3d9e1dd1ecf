"""Muon: steps along orthogonalized gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._common.checks import FRACTION, POSITIVE, check_choice, check_int, check_scalar
from .._common.patterns import matching
from .._common.typing import Floats, Ints
from ..schedules import Rate
from .adam import _Betas
from .groups import list_parts
from .state import Trainable

ADJUSTMENTS = {"match_rms_adamw": 0.2, "original": 0.0}  # with the coefficient rms of the rule


@dataclass(eq=False, repr=False)
class Muon(_Betas):
    """Steps whose singular values are all about 1 for the weights W, AdamW for all other parameters: rule `muon`.

    m <- momentum m + (1 - momentum) g; W <- (1 - lr weight_decay) W - lr ratio O, where O is the orthogonal matrix
    closest to (1 - momentum) g + momentum m (Nesterov momentum) or to m, computed by Newton-Schulz iterations.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.001
        Learning rate, of AdamW too; factors for some parameters are in `groups`.
    weight_decay : float >= 0, default=0.1
        Decoupled weight decay.
    momentum : float in [0, 1), default=0.95
        Share of the previous mean gradient that is kept.
    nesterov : bool, default=True
        Use Nesterov momentum.
    ns_coefficients : (float, float, float), default=(3.4445, -4.775, 2.0315)
        a, b and c of a Newton-Schulz iteration, X <- a X + (b A + c A^2) X with A = X X^T.
    eps : float > 0, default=1e-7
        Gradients with a smaller norm make smaller steps.
    ns_steps : int in [1, 99], default=5
        Number of iterations.
    adjust_lr_fn : {"match_rms_adamw", "original"}, default="match_rms_adamw"
        The ratio: 0.2 sqrt(max(n_in, n_out)), with which the changes are as large as those of AdamW, so that its
        learning rates fit; or sqrt(max(1, n_out / n_in)), PyTorch's default, with lr about 0.02.
    betas : (float, float), each in [0, 1), default=(0.9, 0.999)
        Of AdamW.
    adamw_eps : float > 0, default=1e-8
        Of AdamW.
    adamw : sequence of str, default=()
        Patterns of the weights that AdamW updates, too, such as those of the first and the last layer of three:
        ("0.*", "2.*").

    References
    ----------
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    Liu et al., "Muon is scalable for LLM training", 2025.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> trainer = gd.Trainer(gd.MLP(64, 64, 10, seed=0), loss="cross_entropy", optimizer=gd.Muon(lr=0.01))
    >>> history = trainer.fit(X / 16, y, epochs=3, verbose=0)
    >>> trainer.evaluate(X / 16, y)["accuracy"] > 0.95
    True
    """

    name = "muon"
    intervals = {**_Betas.intervals, "momentum": FRACTION, "eps": POSITIVE, "adamw_eps": POSITIVE}
    forms = 2

    lr: Rate = 1e-3
    weight_decay: Rate = 0.1
    momentum: Rate = 0.95
    nesterov: bool = True
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315)
    eps: Rate = 1e-7
    ns_steps: int = 5
    adjust_lr_fn: str = "match_rms_adamw"
    betas: tuple[Rate, Rate] = field(default=(0.9, 0.999), kw_only=True)
    adamw_eps: Rate = field(default=1e-8, kw_only=True)
    adamw: Sequence[str] = field(default=(), kw_only=True)
    decoupled_weight_decay: bool = field(default=True, kw_only=True)

    rule = "muon"
    slots = 2

    def _checked(self, name: str, value: Any) -> Any:
        if name == "ns_steps":
            return check_int(name, value, 1, 99)
        if name == "adjust_lr_fn":
            return check_choice(name, value, ADJUSTMENTS)
        if name == "ns_coefficients":
            if not isinstance(value, (tuple, list)) or len(value) != 3:
                raise ValueError(
                    f"ns_coefficients must be three numbers such as (3.4445, -4.775, 2.0315), not {value!r}"
                )
            return tuple(check_scalar(f"{name}[{i}]", x, "(-inf, inf)") for i, x in enumerate(value))
        if name == "adamw":
            if isinstance(value, str) or not all(isinstance(pattern, str) for pattern in value):
                raise TypeError(f'adamw must be a sequence of patterns such as ("0.*", "2.*"), not {value!r}')
            return tuple(value)
        return super()._checked(name, value)

    def _assign(self, model: Trainable) -> Ints:
        """Of each group of parameters, those with orthogonalized steps come first, then those of AdamW."""
        names = list(model.parameters())
        chosen = {name for pattern in self.adamw for name in matching(pattern, names, "adamw")}
        by_adamw = [name is None or not name.endswith(".weight") or name in chosen for name in list_parts(names)]
        groups: Ints = 2 * super()._assign(model) + np.array(by_adamw)
        return groups

    def _rule_coefficients(self, now: Any, t: Ints) -> tuple[Floats | float, ...]:
        weight_decay, shrink = self._decay(now.lr, now.weight_decay)
        mu = now.momentum
        g_part, m_part = (1 - mu, mu) if self.nesterov else (0.0, 1.0)
        a, b, c = self.ns_coefficients
        matrix = now.lr, weight_decay, mu, 1 - mu, g_part, m_part, a, now.eps, shrink
        iteration = b, c, float(self.ns_steps), ADJUSTMENTS[self.adjust_lr_fn]
        now.eps = now.adamw_eps
        return (*matrix, *iteration, *self._adam_step(now, t), 0.0, 0.0, 0.0, 0.0)
