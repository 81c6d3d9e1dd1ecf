"""Progress of a training on the screen."""

import sys
import time
from typing import Any

from .base import Callback, Run, Training


class Progress(Callback):
    """Epochs, losses and rows per second on standard error; `Trainer.fit(verbose=1)` adds it.

    On a terminal they are drawn in place, by tqdm if it is installed, else as a plain line; elsewhere (a file, a pipe)
    there is a new line after every tenth of the epochs.
    """

    _SECONDS = 0.1  # between two drawings

    def on_fit_begin(self, trainer: Training) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar = _bar(trainer.run) if self._terminal else None
        self._started = self._drawn = time.perf_counter()
        self._tenths = 0

    def on_chunk_end(self, trainer: Training) -> None:
        if self._is_due(trainer.run, trainer.epoch):
            self._draw(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        if self._terminal:
            self._draw(trainer)
        if self._bar is not None:
            self._bar.close()
        elif self._terminal:
            print(file=sys.stderr)
        if trainer.stop_reason == "interrupted":
            _say(f"interrupted after epoch {trainer.epoch}; the model keeps what it has learnt")
        elif trainer.stop_reason not in (None, "error"):
            _say(f"stopped after epoch {trainer.epoch}: {trainer.stop_reason}")

    def _is_due(self, run: Run, epoch: int) -> bool:
        if self._terminal:
            return time.perf_counter() - self._drawn >= self._SECONDS
        before, self._tenths = self._tenths, 10 * (epoch - run.first_epoch) // (run.last_epoch - run.first_epoch)
        return self._tenths > before

    def _draw(self, trainer: Training) -> None:
        run = trainer.run
        self._drawn = time.perf_counter()
        logs = {"loss": run.loss}
        if trainer.epoch > run.first_epoch:
            logs = {name: trainer.history[name][-1] for name in run.columns if "loss" in name or "validation" in name}
        text = "  ".join([f"epoch {trainer.epoch}/{run.last_epoch}", *(f"{k} {v:.4g}" for k, v in logs.items())])
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(run.rows_done - self._bar.n)
            return
        text += f"  {run.rows_done / (self._drawn - self._started):,.0f} rows/s"
        _say(text, in_place=self._terminal)


def _bar(run: Run) -> Any:
    """A tqdm bar over the rows of the run; None without tqdm."""
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


def _say(text: str, in_place: bool = False) -> None:
    """One line on standard error; in place, it writes over the line before (and erases what is left of it)."""
    print(f"\r\x1b[K{text}" if in_place else text, end="" if in_place else "\n", file=sys.stderr, flush=True)
