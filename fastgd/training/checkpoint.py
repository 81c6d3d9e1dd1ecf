"""Trainer files: everything that the next step depends on except the data.

Such a file is one of `models/files.py`.  Its arrays are theta under the names of its parameters, the optimizer's slots,
the history, the losses of the unfinished epoch and the vectors of callbacks; its config holds settings, counters and
seeds.  Nothing in it is code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._common.config import from_config, to_config
from .._common.typing import Array
from ..callbacks.base import State
from ..callbacks.history import History
from ..data.arrays import check_finite
from ..losses import LOSSES
from ..losses.custom import Custom
from ..metrics import Metric
from ..metrics import get as get_metric
from ..models import files
from ..models.sequential import Sequential
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules.base import Span
from .chunks import PartialEpoch
from .state import TrainSettings, TrainState

_FORMAT = "fastgd trainer 1"
_COUNTERS = ("epoch", "step", "last_epoch")
_MAX_COUNT = 2**53  # far beyond any real count, and up to here integers are exact as floats
_SETTINGS = ("batch_size", "accumulate", "shuffle", "seed", "n_threads", "grad_norm")
# Those that files of earlier releases do not have.
_NEW_SETTINGS = ("standardize", "train_metrics", "precision", "shards", "local_steps")


def save(target: files.Target, settings: TrainSettings, state: TrainState, format: str | None = None) -> None:
    """Write a trainer to a `.npz` or `.safetensors` file; TypeError if a part of it depends on custom code."""
    files.save_arrays(target, *contents(settings, state), format)


def check(target: files.Target, settings: TrainSettings, state: TrainState) -> None:
    """Raise what `save` would raise; no file is changed."""
    files.check_target(target)
    contents(settings, state)


def contents(settings: TrainSettings, state: TrainState) -> tuple[dict[str, Any], dict[str, Array]]:
    """Config and arrays of the file; TypeError if a schedule or optimizer depends on custom code."""
    optimizer, partial, metrics = state.optimizer, state.partial_epoch, settings.metrics
    arrays, callbacks = _arrays(state)
    custom = ["loss"] * isinstance(settings.loss, Custom) + ["metrics"] * (not all(map(_is_named, metrics or ())))
    config = {
        "format": _FORMAT,
        "model": state.model.to_config(),
        "own": custom,
        "loss": None if "loss" in custom else to_config(settings.loss, LOSSES),
        "optimizer": to_config(optimizer, OPTIMIZERS),
        "optimizer_steps": optimizer.steps,
        **_lr_before_reduction(optimizer),
        "slots": len(arrays["optimizer.state"]) if "optimizer.state" in arrays else 0,
        **{name: getattr(settings, name) for name in _SETTINGS + _NEW_SETTINGS},
        **{name: getattr(state, name) for name in _COUNTERS},
        "span": [int(state.span.start), int(state.span)],
        "metrics": None if metrics is None else [metric.name for metric in metrics],
        "history": list(state.history),
        "begun": partial and {"rows": partial.rows, "batch": partial.step_rows, "steps": len(partial.losses)},
        "stopped": 0 if state.resume_theta is None else len(state.resume_theta),
        "callbacks": callbacks,
    }
    return config, arrays


def _arrays(state: TrainState) -> tuple[dict[str, Array], list[dict[str, Any]]]:
    """The arrays of the file, and the config of the callbacks' states."""
    columns = np.array(list(state.history.values()), np.float64)
    arrays: dict[str, Array] = {**state.model.parameters(), "history": columns}
    if (rows := _state_rows(state.optimizer)) is not None:
        arrays["optimizer.state"] = rows
    if state.partial_epoch is not None:
        arrays |= {"begun.losses": state.partial_epoch.losses, "begun.norms": state.partial_epoch.norms}
    if state.resume_theta is not None:
        arrays["stopped"] = state.resume_theta
    callbacks = []
    for i, (name, values) in enumerate(state.current_callback_states()):
        vectors = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
        arrays |= {f"callback.{i}.{key}": value for key, value in vectors.items()}
        numbers = {key: value for key, value in values.items() if key not in vectors}
        callbacks.append({"name": name, "numbers": numbers, "vectors": {k: len(v) for k, v in vectors.items()}})
    return arrays, callbacks


def _lr_before_reduction(optimizer: Optimizer) -> dict[str, Any]:
    if optimizer.lr_before_reduction is None:
        return {}
    return {"lr_before_reduction": to_config(optimizer.copy(), OPTIMIZERS)["lr"]}


def _state_rows(optimizer: Optimizer) -> Array | None:
    """The optimizer's slots, and as the last row the average of theta if there is one; None if there is neither."""
    if optimizer.state is None:
        return None
    average = optimizer.averaged_theta
    rows = optimizer.state if average is None else np.vstack([optimizer.state, average])
    return rows if rows.size else None


def load(file: files.Reader) -> tuple[dict[str, Any], TrainState]:
    """Settings and state that `save` wrote; the settings lack a custom loss, and metrics if one is custom.

    Some exception, of any class, is raised for an invalid file.
    """
    config = file.config
    if config["format"] != _FORMAT:
        raise ValueError(f"its format is {config['format']!r}, not {_FORMAT!r} (gd.load reads models)")
    arrays: dict[str, Array] = {}

    def read(parameters: files.ArraySpecs) -> Mapping[str, Array]:
        arrays.update(file.arrays({**parameters, **_other_arrays(config, parameters)}))
        return arrays

    model = Sequential.from_config(config["model"], read)
    settings = {name: config[name] for name in (*_SETTINGS, "metrics") if name not in config["own"]}
    settings |= {name: config[name] for name in _NEW_SETTINGS if name in config}
    if "loss" not in config["own"]:
        settings["loss"] = from_config(config["loss"], LOSSES)
    optimizer = from_config(config["optimizer"], OPTIMIZERS)
    return settings, _train_state(config, arrays, model, optimizer)


def restored(make: Any, loaded: tuple[dict[str, Any], TrainState], **given: Any) -> tuple[Any, list[str]]:
    """The trainer that `make` makes of what was loaded and given; None if custom code is missing, and its arguments."""
    settings, state = loaded
    settings |= {name: value for name, value in given.items() if value is not None}
    if missing := [name for name in ("loss", "metrics") if name not in settings]:
        return None, missing
    trainer = make(state.model, optimizer=state.optimizer, **settings)
    trainer._state = state
    return trainer, []


def check_custom(source: files.Target, missing: Iterable[str], function: str) -> None:
    """Raise ValueError if custom code is missing that has to be passed to `function`."""
    if arguments := ", ".join(f"{name}=..." for name in missing):
        raise ValueError(f"{source} cannot hold custom code: pass it again, {function}(path, {arguments})")


def _other_arrays(config: dict[str, Any], parameters: files.ArraySpecs) -> files.ArraySpecs:
    """What the file must hold besides the parameters."""
    size = sum(int(np.prod(shape)) for shape, _ in parameters.values())
    dtype = next(iter(parameters.values()))[1]
    double = np.dtype(np.float64)
    history = (len(config["history"]), _count(config["epoch"], "epoch"))
    expected: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {"history": (history, double)}
    if config["slots"]:
        expected["optimizer.state"] = ((_count(config["slots"], "slots"), size), dtype)
    if config["begun"] is not None:
        steps = (_count(config["begun"]["steps"], "steps"),)
        expected |= {"begun.losses": (steps, double), "begun.norms": (steps, double)}
    if config["stopped"]:
        expected["stopped"] = ((_count(config["stopped"], "stopped"), size), dtype)
    for i, state in enumerate(config["callbacks"]):
        for key, length in state["vectors"].items():
            expected[f"callback.{i}.{key}"] = ((_count(length, key),), dtype)
    return expected


def _train_state(
    config: dict[str, Any], arrays: Mapping[str, Array], model: Sequential, optimizer: Optimizer
) -> TrainState:
    for name in ("optimizer.state", "begun.losses", "stopped"):
        if name in arrays:
            check_finite(arrays[name].reshape(1, -1), name)
    _restore_optimizer(optimizer, config, arrays.get("optimizer.state"), model)
    epoch, step, last_epoch = (_count(config[name], name) for name in _COUNTERS)
    history = History()
    history.extend({name: column.tolist() for name, column in zip(config["history"], arrays["history"], strict=True)})
    return TrainState(
        model,
        optimizer,
        history,
        epoch,
        step,
        last_epoch,
        partial_epoch=None if config["begun"] is None else _partial_epoch(config["begun"], arrays),
        resume_theta=arrays.get("stopped"),
        span=_span(config.get("span", [0, last_epoch])),  # files of the previous release have none
        callback_states=[
            (str(state["name"]), _state(state["numbers"], {k: arrays[f"callback.{i}.{k}"] for k in state["vectors"]}))
            for i, state in enumerate(config["callbacks"])
        ],
    )


def _restore_optimizer(optimizer: Optimizer, config: dict[str, Any], rows: Array | None, model: Sequential) -> None:
    """Give the optimizer its slots, the average of theta and the number of steps."""
    optimizer.steps = _count(config["optimizer_steps"], "optimizer_steps")
    if "lr_before_reduction" in config:
        settings = config["optimizer"] | {"lr": config["lr_before_reduction"]}
        optimizer.lr_before_reduction = from_config(settings, OPTIMIZERS).lr
    needed = optimizer.slots if optimizer.steps else 0
    if config["slots"] < needed:
        raise ValueError(f"it has {config['slots']} of the optimizer's {needed} slots")
    optimizer.state = None if rows is None else rows.copy()
    if optimizer.state is not None and optimizer.average is not None:
        optimizer.state, optimizer.averaged_theta = optimizer.state[:-1], optimizer.state[-1]
    optimizer.bind(model.size, model.dtype, model)


def _partial_epoch(config: dict[str, Any], arrays: Mapping[str, Array]) -> PartialEpoch:
    rows, step_rows = _count(config["rows"], "rows"), _count(config["batch"], "batch")
    return PartialEpoch(rows, step_rows, arrays["begun.losses"], arrays["begun.norms"])


def _span(config: list[Any]) -> Span:
    start, end = (_count(value, "span") for value in config)
    return Span(end, start)


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
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_COUNT:
        raise ValueError(f"its {name} is {value!r}")
    return value
