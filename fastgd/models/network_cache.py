"""The networks that an engine builds for a model: one for each link that a loss may apply, in each precision."""

import threading
from collections.abc import Sequence
from typing import Any

from .. import backend
from .._common.typing import Array
from ..engine.contract import Executor
from ..engine.precision import check_precision
from ..layers.dense import Dense
from ..layers.noise import Noise


class ExecutorCache:
    """The networks of a model on the current engine, built on first use; they share theta and grad.

    If the last activation is the link of a loss ("softmax", "sigmoid"), the loss takes the logits before it and applies
    the link itself, which loses no precision: its network ends at the logits.
    """

    def __init__(self, layers: Sequence[Dense], noises: Sequence[Noise | None], theta: Array, grad: Array) -> None:
        self._layers, self._noises = layers, noises
        self._theta, self._grad = theta, grad
        self._building = threading.Lock()
        self._lock: Any = None  # of the engine, shared by its networks
        self._networks: dict[tuple[str, str], Executor] = {}
        self._engine: backend.Engine | None = None

    def get(self, link: str, precision: str = "f32") -> Executor:
        """The network for a loss or an `OutputSpec` with this link; "identity" includes the last activation.

        Raises
        ------
        TypeError, ValueError
            The last activation is a different link, or the model cannot have this precision.
        """
        is_known = self._engine is backend.chosen and isinstance(precision, str)
        if is_known and (network := self._networks.get((link, precision))) is not None:
            return network
        check_precision(precision, self._theta.dtype)
        with self._building:
            engine = backend.choose()
            if self._engine is not engine:
                self._networks, self._lock, self._engine = {}, engine.lock(), engine
            return self._get(link, precision, engine)

    def _get(self, link: str, precision: str, engine: backend.Engine) -> Executor:
        if (link, precision) not in self._networks:
            self._networks[link, precision] = self._build(link, precision, engine)
        return self._networks[link, precision]

    def _build(self, link: str, precision: str, engine: backend.Engine) -> Executor:
        last, layers = self._layers[-1], self._layers
        own_link = last.activation.link
        if own_link == link != "identity":
            layers = (*layers[:-1], Dense(last.n_in, last.n_out, "identity", last.bias))
        elif own_link != "identity" and link != "identity":
            raise ValueError(
                f'a loss that applies the {link} to logits does not fit a model that ends in "{last.activation.name}": '
                f'end it in "identity" or "{link}", or choose another loss'
            )
        elif link != "identity":
            return self._get("identity", precision, engine)
        return engine.executor(layers, self._theta, self._grad, self._noises, self._lock, precision)
