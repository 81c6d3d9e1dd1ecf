"""Warnings about data and networks that train badly, and the cause of an infinite loss; each names cause and remedy.

They examine samples, so they cost little, and only run if `fit` may print (verbose > 0).  None changes anything.
"""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .._common.typing import Array, Floats
from .._common.warn import warn_user
from ..callbacks.base import Run
from ..callbacks.history import History
from ..layers.dense import Dense
from ..losses import Loss
from ..models.layer_outputs import dead_units, layer_outputs
from ..models.sequential import Sequential
from .fit_data import FitData, some_rows

# Number of validation rows to look for among the training rows.
_SAMPLE = 100
# Number of training rows to compare with these, and approximate number of columns in the first comparison.
_COMPARED, _COMPARED_COLUMNS = 50_000, 6
# Number of targets to examine: as their scale decides, more of them than of rows.
_TARGETS = 1000
# Columns should be near 1 in size. From here on the steps of one column dominate the others; and where a typical row
# has values of this size, steps are 25 times longer than initial weights and usual rates assume.
_LARGE, _LARGE_ROW = 100.0, 5.0
# Real targets should be near 0 and 1 in mean and standard deviation, as the first outputs are. Beyond this size, the
# usual rates take hundreds of steps to reach their mean (Adam moves a bias by at most about lr = 0.001 in a step), and
# gradients of squared errors are as many times larger; below that deviation, what a step changes exceeds what there is
# to learn.
_LARGE_TARGET, _SMALL_TARGET = 10.0, 0.01
# More distinct integers than this are counts, not classes.
_CLASSES = 20
# Shares that are too large: of validation rows seen in training, of dead units, of saturated outputs.
_SEEN, _DEAD, _SATURATED = 0.1, 0.5, 0.9
# A `fit` of fewer epochs is a first trial, or part of a loop. A loss is still falling if its mean does so by these
# shares of itself and of the largest loss, from one quarter of the epochs to the next.
_EPOCHS, _FALL, _FALL_OF_LARGEST = 10, 0.05, 0.02
# Number of hash buckets for rows.
_BUCKETS = 1 << 12
# Rows of integers that occur more often than this are no copies: only so many distinct rows are possible.
_REPEATS = 5
# An output is saturated where the derivative is below this share of its maximum.
_FLAT = 0.01
# The activations whose units can die, and those that are flat on both sides, with the maximum of their derivative.
_RELUS = ("relu", "relu6")
_SIGMOIDS = {"sigmoid": 1 / 4, "hard_sigmoid": 1 / 6, "tanh": 1.0, "hard_tanh": 1.0}


class AdviceWarning(UserWarning):
    """Something that makes a training slow, unstable or misleading."""


def check_data(data: FitData, link: str) -> None:
    """Examine the data before the first step.

    Parameters
    ----------
    data : FitData
    link : str
        Link of the user's loss; "identity" is regression.
    """
    for text in (_unscaled(data), _unscaled_targets(data), _classes_as_numbers(data, link), _seen_rows(data)):
        if text:
            warn_user(text, AdviceWarning)


def check_network(model: Sequential, data: FitData) -> None:
    """Examine the hidden layers after the last step, on some training rows."""
    hidden = len(model.dense_layers) - 1
    for index, layer, out in islice(layer_outputs(model, data.sample_inputs(), 1), hidden):
        text = _dead(index, layer, out) or _saturated(index, layer, out)
        if text:
            warn_user(text, AdviceWarning)


def check_progress(history: History, run: Run, stop_reason: str | None) -> None:
    """Examine the losses of a `fit` that was not stopped: those of validation if there are any, else of training."""
    epochs = run.last_epoch - run.first_epoch
    if stop_reason is not None or epochs < _EPOCHS or history["lr"][-1] < max(history["lr"][-epochs:]) / 2:
        return
    kind = "validation" if "validation_loss" in run.columns else "training"
    losses = np.array(history["validation_loss" if kind == "validation" else "loss"])
    quarter = epochs // 4
    before, last = losses[-2 * quarter : -quarter].mean(), losses[-quarter:].mean()
    if before - last > max(_FALL * before, _FALL_OF_LARGEST * np.nanmax(losses)):
        warn_user(
            f"the {kind} loss was still falling at the end, from {before:.3g} to {last:.3g} on average in the last "
            f"{quarter} epochs: the model can still improve. Train for more epochs",
            AdviceWarning,
        )


def divergence_message(
    model: Sequential, X: Array, Y: Array, loss: Loss, lr: float, step: int, epoch: int, last_step: int
) -> str:
    """The message for a step on the rows X that made the loss or theta NaN or infinite.

    Parameters
    ----------
    model, X
        As in `divergence_cause`.
    Y : (rows, ...)
        Targets of these rows.
    loss : Loss
    lr : float
        Learning rate of the step.
    step, epoch : int
        Number of the step and of its epoch, from 1.
    last_step : int
        The step after which theta was saved.
    """
    cause, remedy = divergence_cause(model, X), "scale the columns of X"
    largest_y = float(np.abs(Y.astype(np.float64)).max()) if _is_regression(loss) else 0.0
    if largest_y > max(_LARGE_TARGET, float(np.abs(X.astype(np.float64)).max())):
        cause = f"y has values up to {largest_y:.2g}, far from outputs around 0 and 1 ({cause})"
        remedy = "scale y: use Trainer(standardize=True)"
    return (
        f"the loss was not finite at step {step} (epoch {epoch}), or theta after its update: {cause}. "
        f"Theta is as it was after step {last_step}. Lower lr (now {lr:g}) or {remedy}"
    )


def divergence_cause(model: Sequential, X: Array) -> str:
    """Which layer overflowed first, for a loss that is not finite.

    Gradients are computed from the last layer to the first, and one that is not finite makes all following ones so.
    Hence of the layers whose weights are not finite, the last one overflowed first.  If all weights are finite, the
    outputs overflowed on the way from the first layer to the last, or the loss did.

    Parameters
    ----------
    model : Sequential
        With theta as it was before the step that failed, or after its update.
    X : (rows, n_in)
        Rows of that step.
    """
    largest = float(np.abs(X.astype(np.float64)).max())
    if largest > float(np.finfo(model.dtype).max):
        return f"X has values up to {largest:.2g}, which {model.dtype} cannot hold"
    parameters = model.parameters()
    for index in reversed(range(len(model.layers))):
        if not all(np.isfinite(v).all() for name, v in parameters.items() if name.startswith(f"{index}.")):
            layer = model.layers[index]
            kind = layer.activation.name if isinstance(layer, Dense) else layer.name
            return f"the update of layer {index} ({kind}) grew out of bounds first"
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


def _is_regression(loss: Loss) -> bool:
    """Whether outputs predict the targets themselves."""
    return loss.link == "identity" and loss.target == "rows"


def _dead(index: int, layer: Dense, out: Array) -> str:
    if layer.activation.name not in _RELUS:
        return ""
    dead = dead_units(out)
    if dead <= _DEAD * layer.n_out:
        return ""
    return (
        f"{dead} of the {layer.n_out} {layer.activation.name} units of layer {index} give the same output for all of "
        f"{len(out)} training rows: they are dead and no longer learn. Lower lr, scale the columns of X, or use "
        'activation="leaky_relu"'
    )


def _saturated(index: int, layer: Dense, out: Array) -> str:
    f = layer.activation
    if f.name not in _SIGMOIDS:
        return ""
    derivative = f.backward(out, np.ones_like(out))
    share = float((derivative < _FLAT * _SIGMOIDS[f.name]).mean())
    if share <= _SATURATED:
        return ""
    return (
        f"{share:.0%} of the outputs of layer {index} ({f.name}) lie where the function is flat: almost no gradient "
        'passes through. Scale the columns of X, lower lr, or use activation="relu"'
    )


def _unscaled(data: FitData) -> str:
    """A column whose root mean square is far above 1, or rows that are too large as a whole; codes have no scale."""
    squares = np.square(data.sample_inputs(), dtype=np.float64)
    squares[:, [column for column, _ in data.input_spec.codes]] = 0
    size = np.sqrt(squares.mean(axis=0))
    column = int(size.argmax())
    typical = np.sort(squares.mean(axis=1))[len(squares) // 2]  # the median: a few large values do no harm
    if size[column] < _LARGE and typical < _LARGE_ROW**2:
        return ""
    names = data.input_spec.names
    which = column if names is None else repr(names[column])
    others = f", the median column {np.median(size):.2g}" if len(size) > 1 else ""
    return (
        f"X is not scaled: column {which} has values around {size[column]:.2g}{others}. Training will be slow or "
        "diverge; use Trainer(standardize=True), or scale all pixels by one factor to [0, 1]"
    )


def _unscaled_targets(data: FitData) -> str:
    """Targets of a regression whose mean or standard deviation is far from that of a network's first outputs."""
    if not _is_regression(data.loss):
        return ""
    y = data.Y[some_rows(data.rows, _TARGETS)].astype(np.float64)
    size, std = np.sqrt(np.square(y).mean(axis=0)), y.std(axis=0)
    if not (size > _LARGE_TARGET).any() and not ((std > 0) & (std < _SMALL_TARGET)).any():
        return ""
    column = int(size.argmax() if (size > _LARGE_TARGET).any() else np.where(std > 0, std, np.inf).argmin())
    name = "y" if y.shape[1] == 1 else f"column {column} of y"
    return (
        f"y is not scaled: {name} has the mean {y[:, column].mean():.2g} and the standard deviation {std[column]:.2g}, "
        "where a network starts with outputs around 0 and 1. Training will be slow or diverge; use "
        "Trainer(standardize=True), whose predictions are in the units of y"
    )


def _classes_as_numbers(data: FitData, link: str) -> str:
    if link != "identity" or data.Y.shape[1:] != (1,):
        return ""
    y = data.Y[some_rows(data.rows, 10 * _CLASSES)][:, 0]
    values = np.unique(y)
    are_indices = len(values) <= min(_CLASSES, len(y) // 10) and np.array_equal(values, np.arange(len(values)))
    if len(values) < 2 or not are_indices:
        return ""
    integers, loss = f"0 to {len(values) - 1}", f'loss="cross_entropy" and {len(values)} outputs'
    if len(values) == 2:
        integers, loss = "0 and 1", 'loss="bce"'
    return (
        f"y holds only the integers {integers}, and the loss {data.loss.name!r} treats them as quantities. If they are "
        f"classes, use {loss}"
    )


def _seen_rows(data: FitData) -> str:
    """Validation rows that, targets included, are training rows too; not sought among rows that are scaled later."""
    if data.validation is None or data.scales_late:
        return ""
    X, Y = data.validation.some_rows(_SAMPLE)
    rows = data.rows[:_COMPARED]
    every = X.shape[1] // _COMPARED_COLUMNS | 1  # odd: images have margins at multiples of an even width
    keys, training = (
        np.sort(_row_key(X[:, ::every])),
        _row_key(data.X[:, ::every][rows]),
    )
    occupied = np.zeros(_BUCKETS, np.bool_)
    occupied[_bucket(keys)] = True
    candidates = occupied[_bucket(training)].nonzero()[0]  # few, and the search for each of them is what costs
    keys_found = keys[np.searchsorted(keys[:-1], training[candidates])]
    alike = rows[candidates[keys_found == training[candidates]]]
    known = set(_bytes(data.X[alike], data.Y[alike]))
    seen = sum(row in known for row in _bytes(X, Y)) if known else 0
    few_distinct = len(alike) > _REPEATS * len(known) and bool((np.round(X) == X).all())
    if seen <= _SEEN * len(X) or few_distinct:
        return ""
    return (
        f"{seen} of {len(X)} validation rows are training rows too: measurements on them say nothing about new data. "
        "Remove repeated rows, or keep them on one side with validation=Split(0.2, groups=...)"
    )


def _row_key(X: Array) -> Floats:
    """A number for each row (n,): equal for equal rows, and rarely for others."""
    key = np.zeros(len(X))
    for column in X.T:
        key = 0.618 * key + column
    return key


def _bucket(key: Floats) -> NDArray[np.uint64]:
    """The bucket of each key, by multiplicative hashing.

    References
    ----------
    Knuth, "The Art of Computer Programming", volume 3, section 6.4.
    """
    return key.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) // np.uint64(2**64 // _BUCKETS)


def _bytes(X: Array, Y: Array) -> list[bytes]:
    return [row.tobytes() for row in np.concatenate([X, Y], axis=1, dtype=np.float64)]
