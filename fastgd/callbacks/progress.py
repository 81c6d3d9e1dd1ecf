"""Display of the progress of a training."""

import sys
import time
from typing import Any

from .base import Callback, Run, Training


class Progress(Callback):
    """Print epochs, losses and rows per second to standard error; `Trainer.fit(verbose=1)` adds it.

    On a terminal the display is updated in place, by tqdm if it is installed, else as a plain line; otherwise (a file,
    a pipe) a line is printed after each tenth of the epochs.
    """

    _SECONDS = 0.1  # between updates

    def on_fit_begin(self, trainer: Training) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._bar = _make_bar(trainer.run) if self._is_terminal else None
        self._started = self._updated = time.perf_counter()
        self._tenths_done = 0

    def on_chunk_end(self, trainer: Training) -> None:
        if self._is_due(trainer.run, trainer.epoch):
            self._update(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        if self._is_terminal:
            self._update(trainer)
        if self._bar is not None:
            self._bar.close()
        elif self._is_terminal:
            print(file=sys.stderr)
        if trainer.stop_reason == "interrupted":
            _print_line(f"interrupted after epoch {trainer.epoch}; the model keeps its current parameters")
        elif trainer.stop_reason not in (None, "error"):
            _print_line(f"stopped after epoch {trainer.epoch}: {trainer.stop_reason}")

    def _is_due(self, run: Run, epoch: int) -> bool:
        if self._is_terminal:
            return time.perf_counter() - self._updated >= self._SECONDS
        tenths = 10 * (epoch - run.first_epoch) // (run.last_epoch - run.first_epoch)
        is_due, self._tenths_done = tenths > self._tenths_done, tenths
        return is_due

    def _update(self, trainer: Training) -> None:
        run = trainer.run
        self._updated = time.perf_counter()
        logs = {"loss": run.loss}
        if trainer.epoch > run.first_epoch:
            logs = {name: trainer.history[name][-1] for name in run.columns if "loss" in name or "validation" in name}
        text = "  ".join([f"epoch {trainer.epoch}/{run.last_epoch}", *(f"{k} {v:.4g}" for k, v in logs.items())])
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(run.rows_done - self._bar.n)
            return
        text += f"  {run.rows_done / (self._updated - self._started):,.0f} rows/s"
        _print_line(text, in_place=self._is_terminal)


def _make_bar(run: Run) -> Any:
    """A tqdm bar over the rows of the run, or None if tqdm is not installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(
        total=run.rows * (run.last_epoch - run.first_epoch),
        unit=" rows",
        unit_scale=True,
        dynamic_ncols=True,
        bar_format="{percentage:3.0f}%|{bar:12}| {remaining} left, {rate_fmt}{postfix}",
    )


def _print_line(text: str, in_place: bool = False) -> None:
    """Print a line to standard error; `in_place` overwrites the current line and erases the rest of it."""
    print(f"\r\x1b[K{text}" if in_place else text, end="" if in_place else "\n", file=sys.stderr, flush=True)
