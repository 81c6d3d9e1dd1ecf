"""Trainers in files: everything that the next step depends on but the data.

One file of `modelfile.py`: theta under the names of its parameters, the optimiser's slots, the history, the losses of
the epoch that was begun, what callbacks remember; and words: settings, counters, seeds.  Nothing in it is code.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .._common.config import from_config, to_config
from .._common.typing import Array
from ..callbacks.base import State
from ..callbacks.history import History
from ..data.arrays import check_finite
from ..losses import LOSSES, Loss
from ..losses.custom import Custom
from ..metrics import Metric
from ..metrics import get as get_metric
from ..models import files
from ..models.sequential import Sequential
from ..optimizers import OPTIMIZERS, Optimizer
from .chunks import PartialEpoch

_FORMAT = "fastgd trainer 1"
_COUNTERS = ("epoch", "step", "last_epoch")
_MOST = 2**53  # no counter comes near, and up to here steps and epochs are exact as floats
SETTINGS = ("batch_size", "accumulate", "shuffle", "seed", "n_threads", "grad_norm")


class Saved(Protocol):
    """What is kept of a trainer."""

    model: Sequential
    loss: Loss
    optimizer: Optimizer
    batch_size: int | None
    shuffle: bool
    seed: int
    n_threads: int | None
    accumulate: int
    grad_norm: bool
    history: History
    epoch: int
    step: int
    last_epoch: int
    begun: PartialEpoch | None
    stopped: Array | None

    @property
    def metrics(self) -> Sequence[Metric] | None: ...

    @property
    def states(self) -> list[tuple[str, State]]: ...


def write(path: str | os.PathLike[str], trainer: Saved) -> None:
    """Write a trainer to a `.npz` or `.safetensors` file; an older file is replaced only by a whole new one."""
    files.write(path, *contents(trainer))


def contents(trainer: Saved) -> tuple[dict[str, Any], dict[str, Array]]:
    """Words and arrays of the file; TypeError for what only code could say."""
    optimizer, begun = trainer.optimizer, trainer.begun
    columns = np.array(list(trainer.history.values()), np.float64)
    arrays: dict[str, Array] = {**trainer.model.parameters(), "history": columns}
    if (rows := _state_rows(optimizer)) is not None:
        arrays["optimizer.state"] = rows
    if begun is not None:
        arrays |= {"begun.losses": begun.losses, "begun.norms": begun.norms}
    if trainer.stopped is not None:
        arrays["stopped"] = trainer.stopped
    states = []
    for i, (name, state) in enumerate(trainer.states):
        vectors = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        arrays |= {f"callback.{i}.{key}": value for key, value in vectors.items()}
        numbers = {key: value for key, value in state.items() if key not in vectors}
        states.append({"name": name, "numbers": numbers, "vectors": {k: len(v) for k, v in vectors.items()}})
    own = ["loss"] * isinstance(trainer.loss, Custom) + ["metrics"] * (not all(map(_is_named, trainer.metrics or ())))
    words = {
        "format": _FORMAT,
        "model": trainer.model.to_config(),
        "own": own,
        "loss": None if "loss" in own else to_config(trainer.loss, LOSSES),
        "optimizer": to_config(optimizer, OPTIMIZERS),
        "optimizer_steps": optimizer.steps,
        "slots": len(arrays["optimizer.state"]) if "optimizer.state" in arrays else 0,
        **{name: getattr(trainer, name) for name in (*SETTINGS, *_COUNTERS)},
        "metrics": None if trainer.metrics is None else [metric.name for metric in trainer.metrics],
        "history": list(trainer.history),
        "begun": None if begun is None else {"rows": begun.rows, "batch": begun.batch, "steps": len(begun.losses)},
        "stopped": 0 if trainer.stopped is None else len(trainer.stopped),
        "callbacks": states,
    }
    return words, arrays


def read(file: files.Reader) -> dict[str, Any]:
    """The attributes of the trainer that `write` wrote, without loss and metrics if they were code of the user's own.

    An exception of some kind for a file that is none of its.
    """
    words = file.words
    if words["format"] != _FORMAT:
        raise ValueError(f"its format is {words['format']!r}, not {_FORMAT!r} (gd.load reads models)")
    found: dict[str, Array] = {}

    def arrays(expected: files.Expected) -> Mapping[str, Array]:
        found.update(file.arrays({**expected, **_others(words, expected)}))
        return found

    saved = {"model": Sequential.from_config(words["model"], arrays), **_settings(words), **_progress(words, found)}
    needed = saved["optimizer"].slots if saved["steps"] else 0
    if words["slots"] < needed:
        raise ValueError(f"it has {words['slots']} of the optimizer's {needed} slots")
    if saved["state"] is not None and saved["optimizer"].average is not None:
        saved["state"], saved["averaged_theta"] = saved["state"][:-1], saved["state"][-1]
    return saved


def _state_rows(optimizer: Optimizer) -> Array | None:
    """The optimiser's slots, and as the last row the average of theta if there is one; None if there is neither."""
    if optimizer.state is None:
        return None
    average = optimizer.averaged_theta
    rows = optimizer.state if average is None else np.vstack([optimizer.state, average])
    return rows if rows.size else None


def _others(words: dict[str, Any], parameters: files.Expected) -> files.Expected:
    """What the file must hold beside the parameters."""
    size = sum(int(np.prod(shape)) for shape, _ in parameters.values())
    dtype = next(iter(parameters.values()))[1]
    double = np.dtype(np.float64)
    history = (len(words["history"]), _count(words["epoch"], "epoch"))
    expected: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {"history": (history, double)}
    if words["slots"]:
        expected["optimizer.state"] = ((_count(words["slots"], "slots"), size), dtype)
    if words["begun"] is not None:
        steps = (_count(words["begun"]["steps"], "steps"),)
        expected |= {"begun.losses": (steps, double), "begun.norms": (steps, double)}
    if words["stopped"]:
        expected["stopped"] = ((_count(words["stopped"], "stopped"), size), dtype)
    for i, state in enumerate(words["callbacks"]):
        for key, length in state["vectors"].items():
            expected[f"callback.{i}.{key}"] = ((_count(length, key),), dtype)
    return expected


def _settings(words: dict[str, Any]) -> dict[str, Any]:
    settings = {name: words[name] for name in (*SETTINGS, "metrics") if name not in words["own"]}
    if "loss" not in words["own"]:
        settings["loss"] = from_config(words["loss"], LOSSES)
    return {**settings, "optimizer": from_config(words["optimizer"], OPTIMIZERS)}


def _progress(words: dict[str, Any], arrays: Mapping[str, Array]) -> dict[str, Any]:
    for name in ("optimizer.state", "begun.losses", "stopped"):
        if name in arrays:
            check_finite(arrays[name].reshape(1, -1), name)
    history = History()
    history.extend({name: column.tolist() for name, column in zip(words["history"], arrays["history"], strict=True)})
    return {
        "state": arrays["optimizer.state"].copy() if "optimizer.state" in arrays else None,
        "averaged_theta": None,
        "steps": _count(words["optimizer_steps"], "optimizer_steps"),
        "history": history,
        **{name: _count(words[name], name) for name in _COUNTERS},
        "begun": None if words["begun"] is None else _begun(words["begun"], arrays),
        "stopped": arrays.get("stopped"),
        "states": [
            (str(state["name"]), _state(state["numbers"], {k: arrays[f"callback.{i}.{k}"] for k in state["vectors"]}))
            for i, state in enumerate(words["callbacks"])
        ],
    }


def _begun(words: dict[str, Any], arrays: Mapping[str, Array]) -> PartialEpoch:
    rows, batch = _count(words["rows"], "rows"), _count(words["batch"], "batch")
    return PartialEpoch(rows, batch, arrays["begun.losses"], arrays["begun.norms"])


def _state(numbers: dict[str, Any], vectors: dict[str, Array]) -> State:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"a callback's {name} is {value!r}")
    return numbers | vectors


def _is_named(metric: Metric) -> bool:
    try:
        return get_metric(metric.name) == metric
    except (ValueError, ImportError):
        return False


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError(f"its {name} is {value!r}")
    return value
