"""Display of the progress of a training."""

import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from .base import Callback, Training


class Progress(Callback):
    """Print epochs, losses and rows per second to standard error; `Trainer.fit(verbose=1)` adds it.

    On a terminal or in a notebook the display is updated in place, by tqdm if it is installed, else as a plain line
    that fits the width of the terminal: what has no room is left out, the last first.  Otherwise (a file, a pipe) a
    line is printed after each tenth of the epochs, and every 30 seconds if they take longer.  If printing fails, the
    training continues without a display.
    """

    _SECONDS = 0.1  # between updates in place
    _LOG_SECONDS = 30.0  # at most, between lines

    def on_fit_begin(self, trainer: Training) -> None:
        self._display: Display | None = None
        self._tenths_done = 0
        self._started = self._updated = time.perf_counter()
        self._try(lambda: self._begin(trainer))

    def on_chunk_end(self, trainer: Training) -> None:
        if self._display is not None and self._is_due(trainer):
            self._try(lambda: self._update(trainer))

    def on_fit_end(self, trainer: Training) -> None:
        if self._display is not None:
            self._try(lambda: self._end(trainer))

    def _try(self, function: Callable[[], None]) -> None:
        """An error of standard error (closed, a broken pipe, an encoding ...) ends only the display."""
        try:
            function()
        except Exception:
            display, self._display = self._display, None
            if display is not None:
                with suppress(Exception):
                    display.close(is_complete=False)

    def _begin(self, trainer: Training) -> None:
        run = trainer.run
        self._display = choose_display(run.rows * (run.last_epoch - run.first_epoch))
        if self._display.in_place:
            self._update(trainer)

    def _end(self, trainer: Training) -> None:
        display, reason = self._display, trainer.stop_reason
        if display is None:
            return
        if display.in_place:
            self._update(trainer, is_over=True)
        display.close(is_complete=reason not in ("error", "interrupted"))
        if reason == "interrupted":
            _write(f"interrupted after epoch {trainer.epoch}; the model keeps its current parameters\n")
        elif reason not in (None, "error"):
            _write(f"stopped after epoch {trainer.epoch}: {reason}\n")

    def _is_due(self, trainer: Training) -> bool:
        waited, run = time.perf_counter() - self._updated, trainer.run
        if self._display is not None and self._display.in_place:
            return waited >= self._SECONDS
        tenths = 10 * (trainer.epoch - run.first_epoch) // (run.last_epoch - run.first_epoch)
        is_due, self._tenths_done = tenths > self._tenths_done, tenths
        return is_due or waited >= self._LOG_SECONDS

    def _update(self, trainer: Training, is_over: bool = False) -> None:
        self._updated = time.perf_counter()
        if self._display is not None:
            self._display.show(_parts(trainer, self._updated - self._started, is_over), trainer.run.rows_done)


def _parts(trainer: Training, seconds: float, is_over: bool) -> list[str]:
    """What there is to say, the most important first."""
    run, partial = trainer.run, trainer.partial_epoch
    total = run.rows * (run.last_epoch - run.first_epoch)
    percent = "" if partial is None else f" {min(len(partial.losses) * partial.step_rows / run.rows, 1):.0%}"
    parts = [f"epoch {trainer.epoch + bool(percent)}/{run.last_epoch}{percent}"]
    logs = {"loss": run.loss}
    if trainer.epoch > run.first_epoch:
        logs = {name: trainer.history[name][-1] for name in run.columns if "loss" in name or "validation" in name}
    parts += [f"{name} {value:.4g}" for name, value in logs.items() if not (name == "loss" and math.isnan(value))]
    if run.rows_done and seconds:
        left = f"{_duration(seconds * (total / run.rows_done - 1))} left"
        parts += [left] * (run.rows_done < total and not is_over) + [f"{run.rows_done / seconds:,.0f} rows/s"]
    return parts


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds: "1:02:03", "0:04"."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display(Protocol):
    """Where the progress is shown.

    Attributes
    ----------
    in_place : bool
        Whether what is shown replaces what was shown before.
    """

    in_place: bool

    def show(self, parts: list[str], rows_done: int) -> None:
        """Show the parts, as many as there is room for."""

    def close(self, is_complete: bool) -> None:
        """Leave the last state on display."""


class _Log:
    """One line after the other, for files and pipes."""

    in_place = False

    def show(self, parts: list[str], rows_done: int) -> None:
        _write("  ".join(parts) + "\n")

    def close(self, is_complete: bool) -> None:
        pass


class _Line:
    """A line of a terminal that is written again and again, without control codes that some do not know."""

    in_place = True

    def __init__(self) -> None:
        self._length = 0  # of the last text, which the next one has to cover

    def show(self, parts: list[str], rows_done: int) -> None:
        text = _fit(parts, _width() - 1)  # in the last column some terminals begin a new line
        _write(f"\r{text:{min(self._length, _width() - 1)}}")
        self._length = len(text)

    def close(self, is_complete: bool) -> None:
        _write("\n")


class _Bar:
    """A bar of tqdm: on a terminal it works together with other bars, in a notebook it is a widget."""

    in_place = True
    _BAR, _WIDGET = "{percentage:3.0f}%|{bar:12}| {desc}", "{percentage:3.0f}% {bar} {desc}"

    def __init__(self, make_bar: Callable[..., Any], total: int, is_notebook: bool) -> None:
        self._is_notebook = is_notebook
        self._bar = make_bar(total=total, bar_format=self._WIDGET if is_notebook else "{desc}", dynamic_ncols=True)

    def show(self, parts: list[str], rows_done: int) -> None:
        bar = self._bar
        if self._is_notebook:
            text = "  ".join(parts)
        else:
            text, width = _fit(parts, _width() - 1), _width() - 1
            bar.bar_format = self._BAR if len("100%|            | " + text) <= width else "{desc}"
        bar.n = min(rows_done, bar.total)
        bar.set_description_str(text)  # and draw everything

    def close(self, is_complete: bool) -> None:
        if is_complete:
            self._bar.total = self._bar.n  # a run that a callback stopped is no failure
        self._bar.close()


def choose_display(total: int) -> Display:
    """The display for this terminal, notebook or file, of something of which there are `total`."""
    is_notebook = _is_notebook()
    if not is_notebook and not sys.stderr.isatty():
        return _Log()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook without ipywidgets gets a line of text
            from tqdm.auto import tqdm
        return _Bar(tqdm, total, is_notebook)
    except Exception:  # not installed, or out of order
        return _Line()


def _is_notebook() -> bool:
    """Whether this is a Jupyter kernel, of which the interactive shell has a class of its own."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__)


def _fit(parts: list[str], width: int) -> str:
    """As many of the first parts as fit into `width` characters, at least a piece of the first."""
    while len(parts) > 1 and len("  ".join(parts)) > width:
        parts = parts[:-1]
    return "  ".join(parts)[:width]


def _width() -> int:
    """Columns of the terminal that standard error is."""
    import shutil

    fallback = (80, 24)
    with suppress(AttributeError, OSError, ValueError):
        fallback = os.get_terminal_size(sys.stderr.fileno())
    return max(shutil.get_terminal_size(fallback).columns, 2)


def _write(text: str) -> None:
    """Write to standard error; characters that its encoding lacks are escaped."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()
