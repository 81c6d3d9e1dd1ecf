"""Encoded rows in a temporary file, from which a network learns."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np

from .._common.typing import Array
from ..data.sources import BLOCK_ROWS, BUFFER_ROWS, Block, Source

_BUFFER_BYTES = 1 << 28  # most of the rows that are shuffled together


class EncodedFile(Source):
    """Rows that are written once, and read in each epoch; the file has no name, and is gone with the object.

    Parameters
    ----------
    folder : Path
        Where the file is.
    n_features : int
    classes : ndarray or None
        The labels; None: targets are numbers.
    """

    def __init__(self, folder: Path, n_features: int, classes: Array | None) -> None:
        self.n_features, self.target_range = n_features, (np.inf, -np.inf)
        self.buffer_rows = min(BUFFER_ROWS, max(BLOCK_ROWS, _BUFFER_BYTES // (4 * n_features)))
        self._folder, self._classes, self._n_rows, self._lock = folder, classes, 0, Lock()
        self._X: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (open as long as the source)
        self._y: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        for file in (self._X, self._y):
            weakref.finalize(self, file.close)

    def append(self, X: Array, y: Array) -> None:
        """Write rows behind the others.

        Raises
        ------
        OSError
            As when the disk is full; it names the folder.
        """
        if not len(y):
            return
        if self._classes is None:
            low, high = self.target_range
            self.target_range = min(low, float(y.min())), max(high, float(y.max()))
        else:
            y = np.searchsorted(self._classes, y)
        try:
            self._X.write(np.ascontiguousarray(X, np.float32).data)
            self._y.write(np.ascontiguousarray(y, self._y_type).data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._folder)) from None
        self._n_rows += len(y)

    @property
    def block_rows(self) -> Sequence[int]:
        return [min(BLOCK_ROWS, self._n_rows - start) for start in range(0, self._n_rows, BLOCK_ROWS)]

    def block(self, index: int) -> Block:
        return self._read(self._X, index, np.float32, (-1, self.n_features)), self._targets(index)

    def targets(self) -> Any:
        return map(self._targets, range(len(self.block_rows)))

    @property
    def _y_type(self) -> type:
        return np.float64 if self._classes is None else np.int32

    def _targets(self, index: int) -> Array:
        y = self._read(self._y, index, self._y_type, (-1,))
        return y if self._classes is None else self._classes[y]

    def _read(self, file: IO[bytes], index: int, dtype: Any, shape: tuple[int, ...]) -> Array:
        row_bytes = np.dtype(dtype).itemsize * abs(int(np.prod(shape)))
        with self._lock:
            file.seek(index * BLOCK_ROWS * row_bytes)
            data = file.read(BLOCK_ROWS * row_bytes)
        return np.frombuffer(data, dtype).reshape(shape)
