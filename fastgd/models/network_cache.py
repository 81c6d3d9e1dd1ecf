"""The networks that an engine builds for a model: one for each link that a loss may apply to the outputs."""

import threading
from collections.abc import Sequence
from typing import Any

from .. import backend
from .._common.typing import Array
from ..engine.contract import Executor
from ..layers.dense import Dense
from ..layers.noise import Noise
from ..layers.stack import Layer, dense_layers


class ExecutorCache:
    """The networks of a model on the current engine, built on first use; they share theta and grad.

    If the last activation is the link of a loss ("softmax", "sigmoid"), the loss takes the logits before it and applies
    the link itself, which loses no precision: its network ends at the logits.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        noises: Sequence[Noise | None],
        theta: Array,
        grad: Array,
        owner: "ExecutorCache | None" = None,
    ) -> None:
        self._layers, self._noises = layers, noises[-len(dense_layers(layers)) :]
        self._theta, self._grad = theta, grad
        self._owner = owner  # of the networks of the model that theta and grad are parts of
        self._building = threading.Lock()
        self._lock: Any = None  # of the engine, shared by its networks
        self._by_link: dict[str, Executor] = {}
        self._engine: backend.Engine | None = None

    def get(self, link: str) -> Executor:
        """The network for a loss or an `OutputSpec` with this link; "identity" includes the last activation.

        Raises
        ------
        ValueError
            The last activation is a different link.
        """
        if self._engine is backend.chosen and (network := self._by_link.get(link)) is not None:
            return network
        with self._building:
            engine = self._choose()
            return self._get(link, engine)

    def lock(self) -> Any:
        """The lock of the current engine that all networks on theta share."""
        with self._building:
            self._choose()
            return self._lock

    def _choose(self) -> backend.Engine:
        """The current engine; networks of another one are dropped."""
        engine = backend.choose()
        if self._engine is not engine:
            lock = engine.lock() if self._owner is None else self._owner.lock()
            self._by_link, self._lock, self._engine = {}, lock, engine
        return engine

    def _get(self, link: str, engine: backend.Engine) -> Executor:
        if link not in self._by_link:
            self._by_link[link] = self._build(link, engine)
        return self._by_link[link]

    def _build(self, link: str, engine: backend.Engine) -> Executor:
        if link != "identity" and dense_layers(self._layers)[-1].activation.link == "identity":
            return self._get("identity", engine)
        return engine.executor(layers_for(self._layers, link), self._theta, self._grad, self._noises, self._lock)


def layers_for(layers: Sequence[Layer], link: str) -> Sequence[Layer]:
    """The layers up to the logits, if a loss applies the last activation as its link; "identity": all as they are.

    Raises
    ------
    ValueError
        The last activation is a different link.
    """
    last = dense_layers(layers)[-1]
    own_link = last.activation.link
    if "identity" in (link, own_link):
        return layers
    if own_link != link:
        raise ValueError(
            f'a loss that applies the {link} to logits does not fit a model that ends in "{last.activation.name}": '
            f'end it in "identity" or "{link}", or choose another loss'
        )
    return (*layers[:-1], Dense(last.n_in, last.n_out, "identity", last.bias))
