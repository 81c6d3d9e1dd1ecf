"""Warnings about data and networks that train badly, and what made a loss infinite; each names the cause and the cure.

They look at samples, so they cost little, and only if `fit` may print (verbose > 0).  None changes anything.
"""

import warnings
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array
from ..layers.dense import Dense
from ..models.layer_outputs import layer_outputs
from ..models.sequential import Sequential
from .fit_data import FitData

# Rows that are looked at, spread evenly over the training rows, and validation rows that are looked for among them.
_SAMPLE = 100
# Training rows that are compared with these, and about how many columns tell them apart at first.
_COMPARED, _TOLD_APART_BY = 50_000, 6
# Columns should be near 1 in size. From here on the steps of one column drown the others; and where a typical row has
# numbers of this size, steps are 25 times longer than weights and rates are made for.
_LARGE, _LARGE_ROW = 100.0, 5.0
# More distinct whole numbers than this are counts, not classes.
_CLASSES = 20
# Shares that are too much: of validation rows seen in training, of dead units, of saturated outputs.
_SEEN, _DEAD, _SATURATED = 0.1, 0.5, 0.9
# Drawers that rows are sorted into, before they are searched.
_DRAWERS = 1 << 12
# Rows of whole numbers that come more often than this are no copies: there are only so many kinds of rows.
_KINDS = 5
# An output is saturated where the slope is below this share of the steepest.
_FLAT = 0.01
# The activations whose units can die, and those that are flat on both sides, with their steepest slope.
_RELUS = ("relu", "relu6")
_SIGMOIDS = {"sigmoid": 1 / 4, "hard_sigmoid": 1 / 6, "tanh": 1.0, "hard_tanh": 1.0}


class AdviceWarning(UserWarning):
    """Something that makes a training slow, unstable or misleading."""


def check_data(data: FitData, link: str) -> None:
    """Look at the data before the first step.

    Parameters
    ----------
    job : Job
    link : str
        Of the user's loss; "identity" is regression.
    """
    for text in (_unscaled(data), _classes_as_numbers(data, link), _seen_rows(data)):
        if text:
            _warn(text)


def check_network(model: Sequential, data: FitData) -> None:
    """Look at the hidden layers after the last step, for some training rows."""
    hidden = len(model.layers) - 1
    for index, layer, out in islice(layer_outputs(model, _sample(data.X, data.rows), 1), hidden):
        text = _dead(index, layer, out) or _saturated(index, layer, out)
        if text:
            _warn(text)


def diverged(model: Sequential, X: Array, lr: float, step: int, epoch: int, last_step: int) -> str:
    """What to say of a step on the rows X after which the loss, or theta, is not finite; `last_step` was good."""
    cause = on_divergence(model, X)
    return (
        f"the loss became not finite at step {step} (epoch {epoch}), or theta by its update: {cause}. "
        f"Theta is as it was after step {last_step}. Lower lr (now {lr:g}) or scale the columns of X"
    )


def on_divergence(model: Sequential, X: Array) -> str:
    """Which layer blew up first, for a loss that is not finite.

    Gradients are computed from the last layer to the first, and one that is not finite makes all those after it so.
    So of the layers whose weights are not finite, the last one was the first.  If all weights are finite, the outputs
    grew too large on their way from the first layer to the last, or at its end the loss.

    Parameters
    ----------
    model : Sequential
        With theta as it was before the step that failed, or as its update made it.
    X : (rows, n_in)
        Rows of that step.
    """
    largest = float(np.abs(X.astype(np.float64)).max())
    if largest > float(np.finfo(model.dtype).max):
        return f"X has numbers up to {largest:.2g}, which {model.dtype} cannot hold"
    parameters = model.parameters()
    for index in reversed(range(len(model.layers))):
        if not all(np.isfinite(v).all() for name, v in parameters.items() if name.startswith(f"{index}.")):
            return f"the update of layer {index} ({model.layers[index].activation.name}) grew out of bounds first"
    text = ""
    for index, layer, out in layer_outputs(model, X):
        inputs, largest = largest, float(np.abs(out).max())
        weights = float(np.abs(parameters[f"{index}.weight"]).max())
        text = (
            f"layer {index} ({layer.activation.name}) grew out of bounds first, with inputs up to {inputs:.2g}, "
            f"weights up to {weights:.2g} and outputs up to {largest:.2g}"
        )
        if not np.isfinite(largest):
            break
    return text


def _dead(index: int, layer: Dense, out: Array) -> str:
    if layer.activation.name not in _RELUS:
        return ""
    dead = int((out == out[0]).all(axis=0).sum())
    if dead <= _DEAD * layer.n_out:
        return ""
    return (
        f"{dead} of the {layer.n_out} {layer.activation.name} units of layer {index} give the same for all of "
        f"{len(out)} training rows: they are dead and learn no more. Lower lr, scale the columns of X, or use "
        'activation="leaky_relu"'
    )


def _saturated(index: int, layer: Dense, out: Array) -> str:
    f = layer.activation
    if f.name not in _SIGMOIDS:
        return ""
    slope = f.backward(out, np.ones_like(out))
    share = float((slope < _FLAT * _SIGMOIDS[f.name]).mean())
    if share <= _SATURATED:
        return ""
    return (
        f"{share:.0%} of the outputs of layer {index} ({f.name}) lie where the function is flat: almost no gradient "
        'comes through. Scale the columns of X, lower lr, or use activation="relu"'
    )


def _unscaled(data: FitData) -> str:
    """One column whose root mean square is far above 1, or rows that are too large as a whole."""
    squares = np.square(_sample(data.X, data.rows), dtype=np.float64)
    size = np.sqrt(squares.mean(axis=0))
    column = int(size.argmax())
    typical = np.sort(squares.mean(axis=1))[len(squares) // 2]  # the median: a few rare, large numbers do no harm
    if size[column] < _LARGE and typical < _LARGE_ROW**2:
        return ""
    others = f", the median column {np.median(size):.2g}" if len(size) > 1 else ""
    return (
        f"X is not scaled: column {column} has values around {size[column]:.2g}{others}. Training will be slow or "
        "diverge; scale the columns to mean 0 and deviation 1, (X - X.mean(0)) / X.std(0), with the numbers of the "
        "training rows for all rows and without columns of deviation 0, or all pixels by one number to 0 ... 1"
    )


def _classes_as_numbers(data: FitData, link: str) -> str:
    if link != "identity" or data.Y.shape[1:] != (1,):
        return ""
    y = _sample(data.Y, data.rows, 10 * _CLASSES)[:, 0]
    kinds = np.unique(y)
    numbered = len(kinds) <= min(_CLASSES, len(y) // 10) and np.array_equal(kinds, np.arange(len(kinds)))
    if len(kinds) < 2 or not numbered:
        return ""
    return (
        f"y holds only the whole numbers 0 to {len(kinds) - 1}, and the loss {data.loss.name!r} reads them as "
        f'quantities. If they are classes, use loss="cross_entropy" and {len(kinds)} outputs'
    )


def _seen_rows(data: FitData) -> str:
    """Validation rows, answers included, that are training rows too."""
    if data.validation is None:
        return ""
    X, Y = data.validation.some_rows(_SAMPLE)
    rows = data.rows[:_COMPARED]
    every = X.shape[1] // _TOLD_APART_BY | 1  # odd: images have margins at multiples of an even width
    marks, training = np.sort(_mark(X[:, ::every])), _mark(data.X[:, ::every][rows])
    taken = np.zeros(_DRAWERS, np.bool_)
    taken[_drawer(marks)] = True
    near = taken[_drawer(training)].nonzero()[0]  # few: the search for each of these is what costs
    alike = rows[near[marks[np.searchsorted(marks[:-1], training[near])] == training[near]]]
    known = set(_bytes(data.X[alike], data.Y[alike]))
    seen = sum(row in known for row in _bytes(X, Y)) if known else 0
    few_kinds = len(alike) > _KINDS * len(known) and bool((X == np.round(X)).all())
    if seen <= _SEEN * len(X) or few_kinds:
        return ""
    return (
        f"{seen} of {len(X)} validation rows are training rows too: what is measured on them says nothing about new "
        "data. Remove repeated rows, or keep them on one side with validation=Split(0.2, groups=...)"
    )


def _mark(X: Array) -> NDArray[np.float64]:
    """A number for each row (n,): equal rows have equal ones, and other rows seldom."""
    mark = np.zeros(len(X))
    for column in X.T:
        mark = 0.618 * mark + column
    return mark


def _drawer(mark: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The drawer of each mark: equal marks lie in one, others seldom. Knuth, TAOCP 3, 6.4, multiplicative hashing."""
    return mark.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) // np.uint64(2**64 // _DRAWERS)


def _bytes(X: Array, Y: Array) -> list[bytes]:
    return [row.tobytes() for row in np.concatenate([X, Y], axis=1, dtype=np.float64)]


def _sample(array: Array, rows: NDArray[np.int64], n: int = _SAMPLE) -> Array:
    chosen: Array = array[rows[:: max(1, len(rows) // n)][:n]]
    return chosen


def _warn(text: str) -> None:
    """As from the line that called `fit`."""
    warnings.warn(text, AdviceWarning, stacklevel=4)
