"""Models made of parts of others: slices, shared layers, compositions, copied parameters, outputs of hidden layers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from .._common.checks import check_choice, check_int, check_scalar, shown
from .._common.typing import Array
from ..backend import usable_threads
from ..data.labels import check_labels
from ..data.outputs import OutputSpec
from ..layers.stack import stacked
from .copyable import Copyable
from .layer_outputs import layer_outputs


class Parts(Copyable):
    """A model of which parts can be taken, shared and put together; `Sequential` describes the attributes."""

    def parameters(self) -> dict[str, Array]:
        """Views of theta by name."""
        raise NotImplementedError

    def __getitem__(self, layers: slice) -> Self:
        """A model of some layers, with copies of their parameters: `model[:2]` has the first two."""
        if not isinstance(layers, slice):
            raise TypeError(
                f"a model has slices, such as model[:2], but no element {shown(layers)}; layers are in model.layers"
            )
        if layers.step not in (None, 1):
            raise ValueError(f"a model is made of consecutive layers: a slice has no step, such as {layers.step}")
        return copy.copy(self.share(layers.start, layers.stop))

    def __add__(self, other: Self) -> Self:
        """A model of the layers of both, with copies of their parameters: `encoder + head`."""
        if not isinstance(other, Parts):
            return NotImplemented
        if self.dtype != other.dtype:
            raise ValueError(f"models to be joined must have one dtype, not {self.dtype} and {other.dtype}")
        joined = self._build([*stacked(self.layers, self.noises), *stacked(other.layers, other.noises)])
        np.concatenate([self._theta, other._theta], out=joined._theta)
        joined.inputs, joined.head = self.inputs, other.head
        return joined

    def share(self, start: int | None = None, stop: int | None = None) -> Self:
        """A model of the layers `start` to `stop` - 1, whose theta and grad are parts of this model's: no copies.

        Training either changes both.  Do not train them in two threads at the same time.

        Parameters
        ----------
        start, stop : int or None, default=None
            As in a slice: None is the first layer, or the end; negative numbers count from the end.

        Raises
        ------
        ValueError
            There are no such layers.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(8, 5, 3, seed=0)
        >>> trunk = model.share(0, 1)
        >>> trunk.theta[:] = 0
        >>> float(abs(model.parameters()["0.weight"]).sum())
        0.0
        """
        first, last, _ = slice(start, stop).indices(len(self.layers))
        if first >= last:
            raise ValueError(f"there are no layers from {start} to {stop}: the model has {len(self.layers)}")
        offsets = np.cumsum([0, *(layer.size for layer in self.layers)])
        place = slice(offsets[first], offsets[last])
        stack = stacked(self.layers[first:last], self.noises[first:last])
        part = self._build(stack, self._theta[place], self._grad[place], self._executors)
        if self.mask is not None:
            part.mask = self.mask[place]
        if first == 0:
            part.inputs = self.inputs
        if last == len(self.layers):
            part.head = self.head
        return part

    def copy_parameters(self, other: Self, layers: slice | Iterable[int] | None = None, tau: float = 1.0) -> None:
        """Set parameters to those of another model, or move towards them: theta <- (1 - tau) theta + tau theta'.

        With a small `tau` after each step, this model is the target network of reinforcement learning, or the teacher
        of a self-supervised student: an exponential average of the other.

        Parameters
        ----------
        other : Sequential
            Its layers of the same indices must have the same shapes; dtypes may differ.
        layers : slice, iterable of int or None, default=None
            Indices of the layers; None: all.
        tau : float in [0, 1], default=1.0

        Raises
        ------
        TypeError, ValueError, IndexError
            A layer is missing or has another shape; nothing was changed.

        References
        ----------
        Lillicrap et al., "Continuous control with deep reinforcement learning", ICLR 2016: tau.
        """
        check_scalar("tau", tau, "[0, 1]")
        names = self._names_of(layers)
        to, source = self.parameters(), other.parameters()
        for name in names:
            if name not in source or source[name].shape != to[name].shape:
                what = f"has the shape {source[name].shape}" if name in source else "is missing"
                raise ValueError(f"{name} of shape {to[name].shape} cannot be copied: in the other model it {what}")
        for name in names:
            values = source[name].astype(self.dtype)
            to[name][:] = values if tau == 1 else to[name] + self.dtype.type(tau) * (values - to[name])
        if self.mask is not None:
            self._theta *= self.mask

    def activations(self, X: Any, kind: str = "outputs", n_threads: int | None = None) -> list[Array]:
        """What each dense layer computes for the rows of X, layer by layer.

        Parameters
        ----------
        X : array, nested list or data frame, shape (rows, n_in)
            As in `predict`.
        kind : {"outputs", "pre-activations"}, default="outputs"
            "outputs": f(a W + b).  "pre-activations": a W + b.
        n_threads : int >= 1 or None, default=None
            Maximum number of threads; None leaves it to the engine.

        Returns
        -------
        list of ndarray (rows, n_out of the layer)

        Examples
        --------
        >>> import fastgd as gd
        >>> [A.shape for A in gd.MLP(8, 5, 3, seed=0).activations([[1.0] * 8] * 2)]
        [(2, 5), (2, 3)]
        """
        kind = check_choice("kind", kind, ("outputs", "pre-activations"))
        threads = usable_threads(None if n_threads is None else check_int("n_threads", n_threads))
        X = self.inputs.read(X, self.n_in, self.dtype)
        return [out for _, _, out in layer_outputs(self, X, threads, kind)]

    def set_classes(self, classes: Any) -> None:
        """Say which labels the outputs stand for, so that `predict` returns labels, as after `Trainer.fit` on labels.

        For a model that a custom loop trains: by the cross-entropy of logits, one for each class, or for two classes by
        the binary cross-entropy of a single logit.

        Parameters
        ----------
        classes : sequence of distinct labels (n_out,), or of two labels for a single output

        Raises
        ------
        TypeError, ValueError
            The number of labels does not fit, or they are not labels; nothing was changed.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(2, 3, seed=0)
        >>> model.set_classes(["ant", "bee", "cat"])
        >>> model.predict([[5.0, 0.0]]).item() in ("ant", "bee", "cat")
        True
        """
        labels = check_labels(np.asarray(classes), "classes")
        n = 2 if self.n_out == 1 else self.n_out
        if labels.shape != (n,) or len(set(labels.tolist())) < n:
            raise ValueError(f"a model with {self.n_out} outputs has {n} different classes, not {shown(classes)}")
        self.head = OutputSpec("sigmoid" if self.n_out == 1 else "softmax", labels)

    def _names_of(self, layers: slice | Iterable[int] | None) -> list[str]:
        """Names of the parameters of some layers, in the order of theta."""
        n = len(self.layers)
        if layers is None or isinstance(layers, slice):
            indices = list(range(n)[layers or slice(None)])
        else:
            indices = [self._index(i) for i in layers]
        prefixes = tuple(f"{i}." for i in indices)
        return [name for name in self.parameters() if name.startswith(prefixes)]

    def _index(self, layer: int) -> int:
        try:
            return range(len(self.layers))[layer]
        except IndexError:
            n = len(self.layers)
            raise IndexError(f"there is no layer {layer}: the model has {n}, 0 to {n - 1}") from None

    def _build(self, stack: Any, *vectors: Any) -> Self:
        """A model of these layers, of the same class, seed and dtype; `vectors`: see `_allocate`."""
        model = type(self).__new__(type(self))
        model._allocate(stack, self.seed, self.dtype, *vectors)
        return model
