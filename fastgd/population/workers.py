"""Python threads that each execute one task at a time: the engine releases the GIL, so they keep as many cores busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from .. import backend
from .._common.checks import check_int

T = TypeVar("T")

# Seconds between two calls of `watch`: short enough for Ctrl-C and for what moves on a display.
_PERIOD = 0.05
# Operations for which it takes a thread longer to start than to execute them.
_FEW_FLOPS = 1e7


def n_workers(n_tasks: int, n_threads: int | None) -> int:
    """How many tasks to execute at a time: one per core that this process may use."""
    limit = backend.usable_threads(None if n_threads is None else check_int("n_threads", n_threads))
    return max(1, min(n_tasks, limit or backend.default_threads()))


@contextmanager
def threads_shared_by(workers: int, n_threads: int | None) -> Iterator[None]:
    """Give each of the workers the same number of the engine's threads."""
    with backend.limited_threads(max(1, n_workers(2**31 - 1, n_threads) // workers)):
        yield


def run_all(
    task: Callable[[T], None], items: Sequence[T], workers: int, stop: Event, watch: Callable[[], None]
) -> None:
    """Call `task` for each item, in worker threads, in this order; return when all calls have.

    Parameters
    ----------
    task : callable
        It must not raise.
    items : sequence
    workers : int >= 1
    stop : Event
        No further call begins once it is set, by a task or because `watch` has raised.
    watch : callable
        Called in the calling thread again and again until the last call has returned.
    """
    queue, lock = iter(items), Lock()

    def work() -> None:
        while not stop.is_set():
            with lock:
                item = next(queue, _END)
            if item is _END:
                return
            task(item)

    threads = [Thread(target=copy_context().run, args=(work,), name=f"fastgd-{i}") for i in range(workers)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_PERIOD)
                watch()
    except BaseException:
        stop.set()
        raise
    finally:
        for thread in threads:
            if thread.ident is not None:
                thread.join()


_END: Any = object()


def map_all(function: Callable[[T], Any], items: Sequence[T], n_threads: int | None, flops: float) -> list[Any]:
    """[function(item) for item in items], in as many threads as pay for work of `flops` operations."""
    workers = n_workers(min(len(items), int(flops / _FEW_FLOPS)), n_threads)
    if workers == 1:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # on use: `import fastgd` must stay fast

    with threads_shared_by(workers, n_threads), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))
