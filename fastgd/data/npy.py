"""Files of NumPy (`.npy`), read part by part without being mapped into memory."""

import os
from typing import Any

import numpy as np

from .._common.typing import Array


class NpyFile:
    """An array in a file, of which contiguous rows can be read.

    A mapped file takes part of the address space, and its pages count as memory of the process until the system takes
    them back; parts that are read do neither.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype

    Raises
    ------
    ValueError
        The file is not of this format, is compressed, holds objects or is in Fortran order.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        with open(self._path, "rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
                self.shape, fortran, self.dtype = read(file)
            except ValueError as error:
                raise ValueError(f"{self._path} is not a .npy file that can be read in parts: {error}") from None
            self._start = file.tell()
            size = os.fstat(file.fileno()).st_size - self._start
        if self.dtype.hasobject:
            raise ValueError(f"{self._path} holds Python objects, not numbers: save an array of another dtype")
        if fortran and len(self.shape) > 1:
            raise ValueError(
                f"{self._path} is in Fortran order, so its rows are not contiguous: save np.ascontiguousarray(X)"
            )
        if not self.shape or size < len(self) * self._row_bytes:
            raise ValueError(f"{self._path} is truncated: its header states an array of shape {self.shape}")

    def __len__(self) -> int:
        """Number of rows."""
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> Array:
        """The rows of a slice with the step 1."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise IndexError("only contiguous rows can be read")
        count = max(0, stop - start) * int(np.prod(self.shape[1:], dtype=np.int64))
        offset = self._start + start * self._row_bytes
        values: np.ndarray[Any, Any] = np.fromfile(self._path, self.dtype, count, offset=offset)
        if len(values) < count:
            raise OSError(f"{self._path} has become shorter: rows {start} to {stop - 1} cannot be read")
        return values.reshape(-1, *self.shape[1:])

    @property
    def _row_bytes(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
