"""What engines make of a model: one network for each way to look at its outputs."""

import threading
from collections.abc import Sequence

from .. import backend
from .._common.typing import Array
from ..engine.contract import Executor
from ..layers.dense import Dense
from ..layers.noise import Noise


class Networks:
    """The networks of a model on the engine now chosen, made on first use; they share theta and grad, by reference.

    If the last activation is the link of a loss ("softmax", "sigmoid"), such a loss takes the logits before it, where
    no digits are lost, and applies the link itself: it gets a network that ends there.
    """

    def __init__(self, layers: Sequence[Dense], noises: Sequence[Noise | None], theta: Array, grad: Array) -> None:
        self._layers, self._noises = layers, noises
        self._theta, self._grad = theta, grad
        self._lock = threading.Lock()
        self._made: dict[str, Executor] = {}
        self._engine: backend.Engine | None = None

    def of(self, link: str) -> Executor:
        """The network as a loss or a head with this link sees it; "identity": up to its last activation.

        Raises
        ------
        ValueError
            The last activation is a link of another kind.
        """
        engine = backend.choose()
        if self._engine is not engine:
            self._made, self._engine = {}, engine
        if link not in self._made:
            self._made[link] = self._new(link, engine)
        return self._made[link]

    def _new(self, link: str, engine: backend.Engine) -> Executor:
        last, layers = self._layers[-1], self._layers
        own = last.activation.link
        if own == link != "identity":
            layers = (*layers[:-1], Dense(last.n_in, last.n_out, "identity", last.bias))
        elif own != "identity" and link != "identity":
            raise ValueError(
                f'a loss that applies the {link} to logits does not fit a model that ends in "{last.activation.name}": '
                f'end it in "identity" or "{link}", or choose another loss'
            )
        elif link != "identity":
            return self.of("identity")
        return engine.executor(layers, self._theta, self._grad, self._noises, self._lock)
