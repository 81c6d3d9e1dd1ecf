"""A page in the browser that shows a training while it runs; the modules that serve it are loaded on use."""

from __future__ import annotations

import math
import sys
import time
import weakref
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .._common.checks import check_int
from .._common.typing import Array
from ..models.layer_outputs import dead_units, layer_outputs
from .base import Callback, Training

if TYPE_CHECKING:
    from .dashboard_server import PageServer

# Seconds between two updates of the page, or more where an update takes more than this share of them.
_SECONDS, _SHARE = 0.5, 0.005
# Points of a curve, units of the first layer that are drawn, and pixels of each side of these pictures, at most.
_POINTS, _UNITS, _PIXELS = 400, 32, 32
# Inputs from this many on, as many as a square has pixels, are taken for a picture.
_PICTURE = 64


class Dashboard(Callback):
    """Show the training in the browser: loss and metrics, learning rate, speed, layers, weights of the first layer.

    The first `fit` prints the address of the page, which opens on this computer only, and only with the token in it.
    The page needs no network, and disappears with the process.  Nothing is computed for it between its updates, which
    take at most 0.5 % of the time.

    Parameters
    ----------
    port : int in [0, 65535], default=0
        Port of the page; 0: any that is free.

    Attributes
    ----------
    url : str or None
        Address of the page; None before the first `fit`.

    Raises
    ------
    OSError
        At the start of `fit`: the port is in use.

    Notes
    -----
    A unit counts as dead if its output is the same for a sample of the training rows.  The change of a layer is how far
    its weights have moved since the last update, per step and relative to their norm; about 0.001 is usual.  The norm
    of the gradient is shown if the trainer records it: `Trainer(grad_norm=True)`.

    From another computer, a tunnel reaches the page: `ssh -L 8000:127.0.0.1:8000 host`, with `port=8000`.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> trainer = gd.Trainer(gd.MLP(64, 64, 10, seed=0), loss="cross_entropy")
    >>> dashboard = gd.Dashboard()
    >>> history = trainer.fit(X / 16, y, epochs=3, validation=0.2, callbacks=[dashboard], verbose=0)
    >>> dashboard.url  # doctest: +ELLIPSIS
    'http://127.0.0.1:...'
    >>> dashboard.close()
    """

    on_rank_0_only = True
    setting_checks = MappingProxyType({"port": lambda name, value: check_int(name, value, 0, 65535)})

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._server: PageServer | None = None

    @property
    def url(self) -> str | None:
        """Address of the page."""
        return None if self._server is None else self._server.url

    def __getstate__(self) -> dict[str, Any]:
        """For `copy` and `pickle`: a copy has a page of its own."""
        return {"port": self.port, "_server": None}

    def on_fit_begin(self, trainer: Training) -> None:
        from .dashboard_server import PageServer

        if self._server is None or self._server.is_foreign:
            self._server = PageServer(self.port)
            self._close = weakref.finalize(self, self._server.close)  # at the end of the process, too
            _announce(self._server.url)
        self._record = _Record(trainer)
        self._due = 0.0
        self._publish(trainer, "running")

    def on_chunk_end(self, trainer: Training) -> None:
        if time.perf_counter() >= self._due:
            self._publish(trainer, "running")

    def on_fit_end(self, trainer: Training) -> None:
        self._publish(trainer, trainer.stop_reason or "finished")

    def close(self) -> None:
        """Remove the page; the next `fit` makes another one."""
        if self._server is not None:
            self._close()
            self._server = None

    def _publish(self, trainer: Training, status: str) -> None:
        """Update the page."""
        began = time.perf_counter()
        if self._server is not None:
            self._server.publish(_to_json(self._record.update(trainer, status)))
        now = time.perf_counter()
        self._due = now + max(_SECONDS, (now - began) / _SHARE)


class _Record:
    """What the page shows of one `fit`, measured at each update.

    Parameters
    ----------
    trainer : Training
        At the start of the `fit`.
    """

    def __init__(self, trainer: Training) -> None:
        self._began = self._time = time.perf_counter()
        self._rows, self._step, self._theta = 0, trainer.step, trainer.model.theta.copy()
        self._recent: dict[str, list[float]] = {"epoch": [], "loss": [], "rows_per_second": []}
        self._layers: list[dict[str, Any]] = []

    def update(self, trainer: Training, status: str) -> dict[str, Any]:
        """All that the page shows, as JSON."""
        run, now = trainer.run, time.perf_counter()
        if run.rows_done > self._rows:
            self._append(_position(trainer), run.loss, (run.rows_done - self._rows) / (now - self._time))
        if trainer.step > self._step or not self._layers:
            self._layers = self._measure_layers(trainer)
        self._time, self._rows, self._step = now, run.rows_done, trainer.step
        self._theta[:] = trainer.model.theta
        seconds, total = now - self._began, run.rows * (run.last_epoch - run.first_epoch)
        return {
            "status": status,
            "title": _describe(trainer),
            "epoch": _position(trainer),
            "last_epoch": run.last_epoch,
            "step": trainer.step,
            "seconds": seconds,
            "seconds_left": seconds * (total / run.rows_done - 1) if run.rows_done else None,
            "history": _thinned(trainer.history),
            "recent": self._recent,
            "layers": self._layers,
            "weights": _pictures(trainer.model),
        }

    def _append(self, *values: float) -> None:
        """Add a point to the recent values, of which every second one is left out when there are too many."""
        for column, value in zip(self._recent.values(), values, strict=True):
            column.append(value)
            if len(column) > _POINTS:
                del column[-2::-2]

    def _measure_layers(self, trainer: Training) -> list[dict[str, Any]]:
        """Dead units, length and change of the weights of each layer."""
        model, sample = trainer.model, trainer.run.sample_inputs
        dead: dict[int, int] = {}
        if sample is not None:
            hidden = list(layer_outputs(model, sample(), 1))[:-1]
            dead = {index: dead_units(out) for index, _, out in hidden}
        steps, before = max(1, trainer.step - self._step), self._theta
        layers, start = [], 0
        for index, layer in enumerate(model.layers):
            part = slice(start, start + layer.size)
            start = part.stop
            norm = float(np.linalg.norm(model.theta[part]))
            moved = float(np.linalg.norm(model.theta[part] - before[part])) / steps
            layers.append(
                {
                    "name": f"{index}: {layer!r}",
                    "units": layer.n_out,
                    "dead": dead.get(index),
                    "norm": norm,
                    "change": moved / norm if norm else None,
                }
            )
        return layers


def _announce(url: str) -> None:
    """Print the address; an error of standard error does not prevent the training."""
    with suppress(Exception):
        print(f"fastgd: watch the training at {url}", file=sys.stderr, flush=True)


def _position(trainer: Training) -> float:
    """Epochs done, and the share of the one that has begun."""
    partial, rows = trainer.partial_epoch, trainer.run.rows
    return trainer.epoch + (0.0 if partial is None else min(len(partial.losses) * partial.step_rows / rows, 1.0))


def _describe(trainer: Training) -> str:
    model = trainer.model
    widths = "-".join(map(str, [model.n_in, *(layer.n_out for layer in model.dense_layers)]))
    return f"{widths}, {model.size:,} parameters, {type(trainer.optimizer).__name__}"


def _thinned(history: Any) -> dict[str, list[float]]:
    """The columns of the history; of many epochs, every n-th one and the last."""
    n = len(history["epoch"])
    every = max(1, -(-n // _POINTS))
    return {name: column[:n:every] + ([column[n - 1]] if (n - 1) % every else []) for name, column in history.items()}


def _pictures(model: Any) -> dict[str, Any] | None:
    """The weights of the first units as pictures of int8; None for a table, and for inputs that fill no square."""
    import base64

    layer = model.layers[0]
    side = math.isqrt(model.n_in)
    if layer is not model.dense_layers[0] or side * side != model.n_in or side * side < _PICTURE:
        return None
    if model.inputs.names is not None:  # columns of a table
        return None
    W: Array = model.parameters()["0.weight"]
    every = -(-side // _PIXELS)
    pictures = W[:, :_UNITS].T.reshape(-1, side, side)[:, ::every, ::every]
    largest = float(np.abs(pictures).max()) or 1.0
    pixels = np.rint(np.nan_to_num(pictures / largest) * 127).astype(np.int8)
    data = base64.b64encode(pixels.tobytes()).decode()
    return {"side": pixels.shape[1], "count": len(pixels), "of": layer.n_out, "largest": largest, "pixels": data}


def _to_json(data: dict[str, Any]) -> bytes:
    import json

    try:
        return json.dumps(data, allow_nan=False).encode()
    except ValueError:
        return json.dumps(_plain(data)).encode()


def _plain(value: Any) -> Any:
    """The same with None in place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
