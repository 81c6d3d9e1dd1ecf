"""One `fit` of a population: its members train in worker threads, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any

from .._common.checks import counted
from .._common.warn import warn_user
from ..training.interrupt import DeferredInterrupt
from .display import PopulationDisplay
from .members import INTERRUPTED, Member
from .workers import n_workers, run_all, threads_shared_by

# Exceptions that are raised again with the index of the member in their message.
_PLAIN = (FloatingPointError, ValueError, TypeError, RuntimeError, MemoryError)


class PopulationRun:
    """The members of a `fit` and their data.

    Parameters
    ----------
    members : sequence of Member
    n_threads : int or None
    raises : bool
        Whether the error of a member ends the run of all.
    is_verbose : bool

    Attributes
    ----------
    members : list of Member
    errors : dict of int to BaseException
        What has ended the training of the member with this index.
    is_interrupted : bool
        Whether Ctrl-C has ended the run.

    Raises
    ------
    Exception
        The arguments of a member are invalid; nothing was changed.
    """

    def __init__(self, members: Sequence[Member], n_threads: int | None, raises: bool, is_verbose: bool) -> None:
        self.members, self._n_threads, self._raises = list(members), n_threads, raises
        self.errors: dict[int, BaseException] = {}
        self.is_interrupted = False
        self._stop = Event()
        for member in self.members:
            with naming(member.index):
                member.check()
        self._display = PopulationDisplay(self.members) if is_verbose else None

    @property
    def epochs(self) -> int:
        """Number of epochs of the run, of the member that has most."""
        return max((member.goal.last - member.goal.first for member in self.members), default=0)

    def is_due(self, member: Member) -> bool:
        """Whether a member has not reached its goal, but may: with on_error="continue", not after an error."""
        return not member.is_done and (self._raises or member.index not in self.errors)

    def has_done(self, epochs: int | None) -> bool:
        """Whether this many epochs of the run are done, None: all."""
        return all(member.has_done(epochs) for member in self.unfinished)

    @property
    def unfinished(self) -> list[Member]:
        """The members whose runs are not over, those with most work first: no core waits for a large one at the end."""
        left = [member for member in self.members if not member.is_done and member.index not in self.errors]
        return sorted(left, key=lambda member: -member.work)

    def keep(self, trainers: Iterable[Any]) -> None:
        """Go on with the members of these trainers alone."""
        kept = set(map(id, trainers))
        self.members = [member for member in self.members if id(member.trainer) in kept]

    def advance(self, epochs: int | None = None) -> None:
        """Train each member until this many epochs of its run are done, None: until it is over; or until Ctrl-C.

        Raises
        ------
        Exception
            That of a member, with its index in the message.  The others have stopped after a chunk of steps.
        """
        members = [member for member in self.unfinished if not member.has_done(epochs)]
        workers = n_workers(len(members), self._n_threads)
        with DeferredInterrupt() as interrupt:

            def watch() -> None:
                if interrupt.is_pending:
                    self.is_interrupted = True
                    self._stop.set()
                if self._display is not None:
                    self._display.update(self.members)

            with threads_shared_by(workers, self._n_threads):
                run_all(lambda member: self._train(member, epochs), members, workers, self._stop, watch)
            watch()
            with suppress(KeyboardInterrupt):
                interrupt.deliver()
        if self.errors and self._raises:
            first = min(self.errors)
            with naming(first):
                raise self.errors[first]

    def close(self) -> None:
        """Leave the last state on display, and warn of members that have failed."""
        if self._display is not None:
            self._display.close(self.members, self.is_interrupted)
        if self.errors and not self._raises:
            first = min(self.errors)
            warn_user(
                f"{counted(len(self.errors), 'member')} of the population failed; of member {first}: "
                f"{self.errors[first]}",
                RuntimeWarning,
            )

    def _train(self, member: Member, epochs: int | None) -> None:
        """Train a member; whatever it raises is kept for the thread that waits."""
        try:
            member.train(epochs, self._stop.is_set)
        except BaseException as error:
            self.errors[member.index] = error
            if self._raises or not isinstance(error, Exception):
                self._raises = True
                self._stop.set()
        if member.trainer.stop_reason == INTERRUPTED and not self._stop.is_set():  # by one of its callbacks
            self.is_interrupted = True
            self._stop.set()


@contextmanager
def naming(index: int) -> Iterator[None]:
    """Put the index of a member into the message of what is raised in the block."""
    try:
        yield
    except _PLAIN as error:
        if type(error) not in _PLAIN:
            error.add_note(f"in member {index} of the population")
            raise
        raise type(error)(f"member {index} of the population: {error}") from error
    except Exception as error:
        error.add_note(f"in member {index} of the population")
        raise
