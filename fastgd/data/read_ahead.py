"""A thread that produces the next item while the current one is in use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

# Seconds between two looks for Ctrl-C while an item is awaited, and for which `close` waits for a read to return.
_POLL, _PATIENCE = 0.05, 5.0


class ReadAhead(Generic[T]):
    """Takes items from an iterator one ahead, in a thread.

    At any time one item is in use, and one is ready or being made: `take` requests the one after the item it returns.

    Parameters
    ----------
    produce : callable (is_closed) -> iterator
        Called in the thread; the iterator ends early once `is_closed()` is true.
    """

    def __init__(self, produce: Callable[[Callable[[], bool]], Iterator[T]]) -> None:
        self._requests, self._results = threading.Semaphore(1), SimpleQueue[tuple[T | None, BaseException | None]]()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(produce,), name="fastgd reader", daemon=True)
        self._thread.start()

    def take(self, poll: Callable[[], None] = lambda: None) -> T:
        """The next item; what the iterator raised is raised here, StopIteration after the last item included.

        Parameters
        ----------
        poll : callable () -> None
            Called while the item is awaited; may raise.
        """
        while True:
            try:
                item, error = self._results.get(timeout=_POLL)
                break
            except Empty:
                poll()
        if error is not None:
            raise error
        self._requests.release()
        return item  # type: ignore[return-value]

    def close(self) -> None:
        """End the thread; one whose read does not return within seconds ends when it does."""
        self._closed.set()
        self._requests.release()
        self._thread.join(_PATIENCE)

    def _run(self, produce: Callable[[Callable[[], bool]], Iterator[T]]) -> None:
        try:
            items = produce(self._closed.is_set)
            while self._requests.acquire() and not self._closed.is_set():
                self._results.put((next(items), None))
        except BaseException as error:
            self._results.put((None, error))
