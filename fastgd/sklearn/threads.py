"""Threads for joblib in which fits end soon after a search is given up, by Ctrl-C or an error."""

from __future__ import annotations

from multiprocessing.pool import ThreadPool
from threading import Event, local
from typing import Any

from joblib.parallel import ThreadingBackend

from ..callbacks import Callback
from ..callbacks.base import Training

_thread = local()


class StoppableThreads(ThreadingBackend):  # type: ignore[misc]
    """joblib's threads, but whoever gives up their work stops the fits that are running, and waits for them."""

    _stop: Event | None = None
    _pool: Any = None

    def _get_pool(self) -> Any:
        if self._pool is None:
            self._stop = Event()
            self._pool = ThreadPool(self._n_jobs, initializer=setattr, initargs=(_thread, "stop", self._stop))
        return self._pool

    def terminate(self) -> None:
        """End the threads."""
        pool = self._pool
        if pool is None:
            return
        if self._stop is not None:
            self._stop.set()
        super().terminate()
        pool.join()


def check_stopped() -> None:
    """Raise KeyboardInterrupt in a thread whose work was given up."""
    stop: Event | None = getattr(_thread, "stop", None)
    if stop is not None and stop.is_set():
        raise KeyboardInterrupt


class StopWithThread(Callback):
    """End a training whose thread is to end."""

    def on_chunk_end(self, trainer: Training) -> None:
        check_stopped()
