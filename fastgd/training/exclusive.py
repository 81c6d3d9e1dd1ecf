"""One training at a time of each model.

The lock of a model's networks covers a single call of the engine; this covers a whole `fit`, between whose calls
another training could otherwise change theta without a word.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..models.sequential import Sequential

# The models in training, by identity: each is referenced by the training itself, so that no other object has its id.
_training: dict[int, object] = {}

if hasattr(os, "register_at_fork"):  # the trainings of other threads do not continue in a forked child
    os.register_at_fork(after_in_child=_training.clear)


@contextmanager
def in_training(model: Sequential) -> Iterator[None]:
    """Reserve the model for one training until the end of the block.

    Raises
    ------
    RuntimeError
        The model is being trained, by a caller of this function or in another thread.
    """
    token = object()
    if _training.setdefault(id(model), token) is not token:  # atomic
        raise _in_training_error()
    try:
        yield
    finally:
        _training.pop(id(model), None)


def check_not_in_training(model: Sequential) -> None:
    """RuntimeError if `in_training` holds the model."""
    if id(model) in _training:
        raise _in_training_error()


def _in_training_error() -> RuntimeError:
    return RuntimeError(
        "this model is being trained: a fit that called this function (through a callback, metric or loss), or one in "
        "another thread, has not ended. End it first (trainer.stop), or train a copy, copy.copy(model); predict and "
        "evaluate may be called at any time"
    )
