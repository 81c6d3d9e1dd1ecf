"""Files of named arrays and a few words about them: `.npz` (NumPy's own) and `.safetensors`.

Both are safe to open: no pickle, no code, and nothing larger than the file itself is ever allocated, whatever the file
claims.  A file is written beside its place, brought to the disk and then moved there, so an older one survives a crash
at any moment.  To read such a file without fastgd: `numpy.load(path)`, or any reader of safetensors.
"""

import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from .._common.typing import Array

Expected = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]

_WORDS = "fastgd.json"
_INSTALL = 'needs the package safetensors: pip install "fastgd[safetensors]"'


class Reader(ABC):
    """An open file: its words first, then the arrays that they promise."""

    words: dict[str, Any]

    @abstractmethod
    def arrays(self, expected: Expected) -> dict[str, Array]:
        """The arrays of these names, shapes and dtypes; ValueError if the file holds anything else."""


def write(path: str | os.PathLike[str], words: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write `words` (whatever JSON can say) and `arrays` to a `.npz` or `.safetensors` file."""
    place = Path(path)
    save = {".npz": _write_npz, ".safetensors": _write_safetensors}[_format(place)]
    aside = place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(aside, "wb") as file:
            save(file, json.dumps(words), arrays)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the new name of a file to the disk too; where folders cannot be opened (Windows), the system has to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise now what `write` would raise later: FileNotFoundError, ImportError, or ValueError for another ending."""
    place = Path(path)
    if not place.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {place.parent} to save {place.name} in: make it first")
    if _format(place) == ".safetensors":
        _saver()


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[Reader]:
    """Open a file of `write`; whatever is wrong inside it, also found by the `with` block, becomes one ValueError.

    Any exception, because a file that lies makes json, zipfile, tokenize, numpy and the readers of the words raise
    whatever they like; a missing package is the one thing that is no fault of the file.
    """
    place = Path(path)
    is_npz = _format(place) == ".npz"
    with open(place, "rb") as file:
        try:
            yield _Npz(file) if is_npz else _Safetensors(file)
        except ImportError:
            raise
        except Exception as problem:
            raise ValueError(f"{place} is not a model file of fastgd, or is damaged: {problem!r}") from problem


def _format(path: Path) -> str:
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"a model file ends in .npz or .safetensors, not {path.suffix!r}: {path}")
    return path.suffix


def _check_names(got: set[str], expected: Expected) -> None:
    if got != set(expected):
        raise ValueError(f"it holds the arrays {sorted(got)}, but its words promise {sorted(expected)}")


def _check_array(name: str, got: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    if got != expected:
        raise ValueError(f"{name} has shape and dtype {got}, but its words promise {expected}")


def _write_npz(file: IO[bytes], words: str, arrays: Mapping[str, Array]) -> None:
    with ZipFile(file, "w", ZIP_STORED) as archive:
        archive.writestr(_WORDS, words)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)


class _Npz(Reader):
    """A zip archive of .npy members, none of them compressed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = ZipFile(file)
        size = os.fstat(file.fileno()).st_size
        for member in self._archive.infolist():
            if member.compress_type != ZIP_STORED or member.file_size > size:
                raise ValueError(f"{member.filename} is compressed or claims {member.file_size} of {size} bytes")
        self.words = json.loads(self._archive.read(_WORDS))

    def arrays(self, expected: Expected) -> dict[str, Array]:
        _check_names({name.removesuffix(".npy") for name in self._archive.namelist() if name != _WORDS}, expected)
        return {name: self._array(name, *expected[name]) for name in expected}

    def _array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        with self._archive.open(f"{name}.npy") as member:
            if np.lib.format.read_magic(member) != (1, 0):
                raise ValueError(f"{name} has another version of the .npy format than 1.0")
            got, fortran, kind = np.lib.format.read_array_header_1_0(member)
            _check_array(name, (got, kind), (shape, dtype))
            values = np.frombuffer(member.read(), dtype)
        return values.reshape(shape, order="F" if fortran else "C")


def _saver() -> Any:
    try:
        from safetensors.numpy import save
    except ImportError:
        raise ImportError(f"saving to .safetensors {_INSTALL}; or save to .npz") from None
    return save


def _write_safetensors(file: IO[bytes], words: str, arrays: Mapping[str, Array]) -> None:
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    file.write(_saver()(tensors, metadata={_WORDS: words}))


class _Safetensors(Reader):
    """A header of JSON and one block of bytes; the library checks that the header describes just these bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError:
            raise ImportError(f"reading .safetensors {_INSTALL}") from None
        try:
            self._file = cast(Any, safe_open)(file.name, framework="numpy")
        except SafetensorError as problem:
            raise ValueError(str(problem)) from problem
        metadata = self._file.metadata() or {}
        self.words = json.loads(metadata[_WORDS])

    def arrays(self, expected: Expected) -> dict[str, Array]:
        _check_names(set(self._file.keys()), expected)
        arrays = {name: self._file.get_tensor(name) for name in expected}
        for name, array in arrays.items():
            _check_array(name, (array.shape, array.dtype), expected[name])
        return arrays
