"""Warnings about data and networks that train badly; each names the cause and the cure.

They look at samples, so they cost little, and only if `fit` may print (verbose > 0).  None changes anything.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array
from .job import Job
from .layers import Dense
from .model import Sequential

# Rows that are looked at: spread evenly over the training rows.
_SAMPLE = 1000
# Rows that are compared with the validation rows.
_COMPARED = 50_000
# Columns should be near 1 in size: from here on the steps of one column drown the others.
_LARGE = 100.0
# More distinct whole numbers than this are counts, not classes.
_CLASSES = 20
# Shares that are too much: of validation rows seen in training, of dead units, of saturated outputs.
_SEEN, _DEAD, _SATURATED = 0.1, 0.5, 0.9
# An output is saturated where the slope of its activation is below this.
_FLAT = 0.01
# What an activation that saturates on both sides is called, and those whose units can die.
_SIGMOIDS = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softmax")
_RELUS = ("relu", "relu6")


class AdviceWarning(UserWarning):
    """Something that makes a training slow, unstable or misleading."""


def on_data(job: Job, loss_link: str) -> None:
    """Look at the data before the first step.

    Parameters
    ----------
    job : Job
    loss_link : str
        The link of the user's loss; "identity" is regression.
    """
    X = _sample(job.X, job.rows)
    for text in (_unscaled(X), _classes_as_numbers(job, loss_link), _seen_rows(job)):
        if text:
            _warn(text)


def on_network(model: Sequential, job: Job) -> None:
    """Look at the hidden layers after the last step, for the training rows."""
    A = _sample(job.X, job.rows).astype(model.dtype)
    hidden = list(enumerate(model.layers))[:-1]
    for index, layer in hidden:
        if not isinstance(layer, Dense):
            return
        A, text = _look_at_layer(index, layer, model.parameters(), A)
        if text:
            _warn(text)


def diverged(job: Job, rows: NDArray[np.int64], lr: float, step: int, epoch: int, last_step: int) -> str:
    """What to say of a step on these rows after which the loss, or theta, is not finite; `last_step` was good."""
    largest = np.abs(job.X[rows].astype(np.float64)).max()
    return (
        f"the loss became not finite at step {step} (epoch {epoch}), or theta by its update; theta is as it was after "
        f"step {last_step}. Lower lr (now {lr:g}) or scale the columns of X (largest |x| of that step: {largest:g})"
    )


def _look_at_layer(index: int, layer: Dense, parameters: dict[str, Array], A: Array) -> tuple[Array, str]:
    """The outputs of a layer for inputs A, and what is wrong with it."""
    f = layer.activation
    with np.errstate(all="ignore"):
        z = A @ parameters[f"{index}.weight"] + parameters.get(f"{index}.bias", 0)
        out = f.forward(z)
        slope = f.backward(out if f.through == "a" else z, np.ones_like(z))
    if f.name in _RELUS:
        return out, _dead(index, layer, slope)
    return out, _saturated(index, f.name, slope) if f.name in _SIGMOIDS else ""


def _dead(index: int, layer: Dense, slope: Array) -> str:
    dead = int((slope == 0).all(axis=0).sum())
    if dead <= _DEAD * layer.n_out:
        return ""
    return (
        f"{dead} of the {layer.n_out} {layer.activation.name} units of layer {index} give the same for all of "
        f"{len(slope)} training rows: they are dead and learn no more. Lower lr, scale the columns of X, or use "
        'activation="leaky_relu"'
    )


def _saturated(index: int, name: str, slope: Array) -> str:
    share = float((abs(slope) < _FLAT * (0.25 if name == "sigmoid" else 1.0)).mean())
    if share <= _SATURATED:
        return ""
    return (
        f"{share:.0%} of the outputs of layer {index} ({name}) lie where the function is flat: almost no gradient "
        'comes through. Scale the columns of X, lower lr, or use activation="relu"'
    )


def _unscaled(X: NDArray[Any]) -> str:
    """Columns whose root mean square is far above 1."""
    size = np.sqrt(np.square(X.astype(np.float64)).mean(axis=0))
    column = int(size.argmax())
    if size[column] < _LARGE:
        return ""
    others = f", the median column {np.median(size):.2g}" if len(size) > 1 else ""
    return (
        f"X is not scaled: column {column} has values around {size[column]:.2g}{others}. Training will be slow or "
        "diverge; scale the columns to mean 0 and deviation 1: (X - X.mean(0)) / X.std(0), with the numbers of the "
        "training rows for all rows"
    )


def _classes_as_numbers(job: Job, link: str) -> str:
    if link != "identity" or job.Y.shape[1] != 1:
        return ""
    y = _sample(job.Y, job.rows)[:, 0]
    kinds = np.unique(y)
    numbered = len(kinds) <= min(_CLASSES, len(y) // 10) and np.array_equal(kinds, np.arange(len(kinds)))
    if len(kinds) < 2 or not numbered:
        return ""
    return (
        f"y holds only the whole numbers 0 to {len(kinds) - 1}, and the loss {job.loss.name!r} reads them as "
        f'quantities. If they are classes, use loss="cross_entropy" and {len(kinds)} outputs'
    )


def _seen_rows(job: Job) -> str:
    """Validation rows, answers included, that are training rows too."""
    if job.validation is None:
        return ""
    X, Y = job.validation.some_rows(_SAMPLE)
    rows = job.rows[:_COMPARED]
    dtypes = np.result_type(X, job.X), np.result_type(Y, job.Y)
    training = {x + y for x, y in zip(_bytes(job.X[rows], dtypes[0]), _bytes(job.Y[rows], dtypes[1]), strict=True)}
    pairs = zip(_bytes(X, dtypes[0]), _bytes(Y, dtypes[1]), strict=True)
    seen = sum(x + y in training for x, y in pairs)
    if seen <= _SEEN * len(X):
        return ""
    return (
        f"{seen} of {len(X)} validation rows are training rows too: what is measured on them says nothing about new "
        "data. Remove repeated rows, or keep them on one side with validation=Split(0.2, groups=...)"
    )


def _bytes(rows: Array, dtype: np.dtype[Any]) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(rows, dtype)]


def _sample(array: Array, rows: NDArray[np.int64]) -> Array:
    chosen: Array = array[rows[:: max(1, len(rows) // _SAMPLE)][:_SAMPLE]]
    return chosen


def _warn(text: str) -> None:
    warnings.warn(text, AdviceWarning, stacklevel=5)
