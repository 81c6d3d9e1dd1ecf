"""Ctrl-C at a moment when nothing is half done."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Hold SIGINT back until the end of the block, then give it to its handler (which raises KeyboardInterrupt).

    So what the block changes together is never seen half changed.  Python runs handlers in the main thread only; in
    other threads there is nothing to hold back.
    """
    import signal  # it makes enums of all signals: not a thing for `import fastgd`

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
