"""Ctrl-C, deferred to a moment when no update is incomplete and every callback has seen the same."""

import _signal  # type: ignore[import-not-found]  # `signal` without its conversions to enums: 10 microseconds a fit
import threading
from types import FrameType, TracebackType
from typing import Any


class DeferredInterrupt:
    """A context manager that holds back SIGINT until `deliver`, or the end of the block.

    A second SIGINT is passed to its handler immediately, which raises KeyboardInterrupt in whatever takes long.  Python
    runs handlers in the main thread only; in other threads there is nothing to hold back.
    """

    def __init__(self) -> None:
        self._handler: Any = None
        self._caught: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> "DeferredInterrupt":
        if threading.current_thread() is threading.main_thread():
            handler = _signal.signal(_signal.SIGINT, self._catch)
            if callable(handler):
                self._handler = handler
            else:
                _signal.signal(_signal.SIGINT, _signal.SIG_DFL if handler is None else handler)
        return self

    def __exit__(self, cls: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._handler is None:
            return
        replaced = _signal.signal(_signal.SIGINT, self._handler)
        if replaced != self._catch:  # someone has installed another handler since
            _signal.signal(_signal.SIGINT, replaced)
        if self._caught is not None:
            self._handler(*self._caught)

    @property
    def is_pending(self) -> bool:
        """Whether a signal is held back."""
        return self._caught is not None

    def deliver(self) -> None:
        """Pass the signal that was held back, if any, to its handler, which raises KeyboardInterrupt by default."""
        if self._caught is None:
            return
        caught, self._caught = self._caught, None
        self._handler(*caught)
        if isinstance(getattr(self._handler, "__self__", None), DeferredInterrupt):
            raise KeyboardInterrupt  # this training is part of another one, which ends when this one has

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self._caught is None:
            self._caught = number, frame
        else:
            self._handler(number, frame)
