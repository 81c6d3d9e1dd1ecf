"""Display of the progress of a population."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress

from ..callbacks.progress import Display, choose_display
from ..metrics.directions import lower_is_better
from .members import Member

_SECONDS, _LOG_SECONDS = 0.1, 30.0  # between updates in place, and between lines


class PopulationDisplay:
    """Members that are done, epochs of all of them, and the best validation so far, on standard error.

    An error of standard error ends the display, not the training.

    Parameters
    ----------
    members : sequence of Member
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._size, self._started = len(members), time.perf_counter()
        self._total = sum(member.goal.last - member.trainer.epoch for member in members)
        self._first = sum(member.trainer.epoch for member in members)
        self._display: Display | None = choose_display(self._total)
        self._updated = self._started

    def update(self, members: Sequence[Member], is_last: bool = False) -> None:
        """Show the state of the members if it is time to."""
        now, display = time.perf_counter(), self._display
        if display is None or not is_last and now - self._updated < (_SECONDS if display.in_place else _LOG_SECONDS):
            return
        self._updated = now
        try:
            done = sum(member.trainer.epoch for member in members) - self._first
            display.show(self._parts(members, done), max(0, done))
        except Exception:
            self._display = None

    def close(self, members: Sequence[Member], is_interrupted: bool) -> None:
        """Leave the last state on display."""
        self.update(members, is_last=True)
        if self._display is not None:
            with suppress(Exception):
                self._display.close(is_complete=not is_interrupted)

    def _parts(self, members: Sequence[Member], done: int) -> list[str]:
        """What there is to say, the most important first."""
        finished = sum(member.is_done for member in members)
        seconds = time.perf_counter() - self._started
        return [
            f"{finished}/{self._size} members",
            f"epoch {done}/{self._total}",
            *_best(members),
            f"{done / max(seconds, 1e-9):,.1f} epochs/s",
        ]


def _best(members: Sequence[Member]) -> list[str]:
    """The best value of what the first member measures last of all on its validation rows."""
    names = [name for name in members[0].trainer.history if name.startswith("validation_")] if members else []
    if not names:
        return []
    name, values = names[-1], {}
    for member in members:
        column = member.trainer.history.get(name, [])
        if column and not math.isnan(column[-1]):
            values[member.index] = column[-1]
    if not values:
        return []
    choose = min if lower_is_better(name) else max
    best = choose(values, key=values.__getitem__)
    return [f"best {name} {values[best]:.4g} (member {best})"]
