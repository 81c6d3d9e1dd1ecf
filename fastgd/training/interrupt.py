"""Ctrl-C, deferred to a moment when no update is incomplete."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Hold back SIGINT until the end of the block, then pass it to its handler (which raises KeyboardInterrupt).

    So the changes of the block are never seen incomplete.  Python runs handlers in the main thread only; in other
    threads there is nothing to hold back.
    """
    import signal  # builds enums of all signals, too slow for `import fastgd`

    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    caught: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if caught:
        handler(*caught[0])
