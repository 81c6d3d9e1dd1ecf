"""Model files: named arrays with a JSON config, as `.npz` (NumPy's own format) or `.safetensors`.

Both are safe to open: no pickle, no code, and no allocation larger than the file itself, whatever the file claims.  A
file is written under a temporary name, flushed to disk and then renamed, so an older one survives a crash at any
moment.  To read such a file without fastgd: `numpy.load(path)`, or any reader of safetensors.
"""

import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias, cast
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from .._common.typing import Array

# Shape and dtype of each array, by name.
ArraySpecs: TypeAlias = "Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]"

_CONFIG = "fastgd.json"  # the member of an .npz archive, or the metadata key of a .safetensors file
_INSTALL = 'needs the package safetensors: pip install "fastgd[safetensors]"'


class Reader(ABC):
    """An open file: its config first, then the arrays that the config describes.

    Attributes
    ----------
    config : dict
    """

    config: dict[str, Any]

    @abstractmethod
    def arrays(self, expected: ArraySpecs) -> dict[str, Array]:
        """Read the arrays with these names, shapes and dtypes.

        Raises
        ------
        ValueError
            The file holds other arrays.
        """


def save_arrays(path: str | os.PathLike[str], config: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a JSON-serializable `config` and `arrays` to a `.npz` or `.safetensors` file.

    Raises
    ------
    ValueError
        The path has another suffix.
    ImportError
        The package safetensors is not installed.
    """
    target = Path(path)
    write = {".npz": _write_npz, ".safetensors": _write_safetensors}[_suffix(target)]
    part = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(part, "wb") as file:
            write(file, json.dumps(config), arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the renaming to disk too; where folders cannot be opened (Windows), this is left to the system."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise now what `save_arrays` would raise later.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    ImportError
        The package safetensors is not installed.
    ValueError
        The path has another suffix.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent} to save {target.name} in: create it first")
    if _suffix(target) == ".safetensors":
        _safetensors_save()


@contextmanager
def open_arrays(path: str | os.PathLike[str]) -> Iterator[Reader]:
    """Open a file of `save_arrays`; whatever is wrong with its content becomes one ValueError.

    This covers every exception raised in the `with` block, because a malformed file can make json, zipfile, tokenize,
    NumPy and the parsers of the config raise almost anything.  Only a missing package is not the fault of the file.

    Raises
    ------
    ValueError
        The file is damaged or of another kind.
    ImportError
        The package safetensors is not installed.
    """
    source = Path(path)
    is_npz = _suffix(source) == ".npz"
    with open(source, "rb") as file:
        try:
            yield _NpzReader(file) if is_npz else _SafetensorsReader(file)
        except ImportError:
            raise
        except Exception as error:
            raise ValueError(f"{source} is not a fastgd model file, or it is damaged: {error!r}") from error


def _suffix(path: Path) -> str:
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"the name of a model file must end in .npz or .safetensors, not {path.suffix!r}: {path}")
    return path.suffix


def _check_names(names: set[str], expected: ArraySpecs) -> None:
    if names != set(expected):
        raise ValueError(f"it holds the arrays {sorted(names)}, but its config lists {sorted(expected)}")


def _check_array(name: str, actual: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    if actual != expected:
        raise ValueError(f"{name} has shape and dtype {actual}, but its config says {expected}")


def _write_npz(file: IO[bytes], config: str, arrays: Mapping[str, Array]) -> None:
    with ZipFile(file, "w", ZIP_STORED) as archive:
        archive.writestr(_CONFIG, config)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)


class _NpzReader(Reader):
    """A zip archive of uncompressed .npy members."""

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = ZipFile(file)
        size = os.fstat(file.fileno()).st_size
        for member in self._archive.infolist():
            if member.compress_type != ZIP_STORED or member.file_size > size:
                raise ValueError(f"{member.filename} is compressed or claims {member.file_size} of {size} bytes")
        self.config = json.loads(self._archive.read(_CONFIG))

    def arrays(self, expected: ArraySpecs) -> dict[str, Array]:
        _check_names({name.removesuffix(".npy") for name in self._archive.namelist() if name != _CONFIG}, expected)
        return {name: self._array(name, *expected[name]) for name in expected}

    def _array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        with self._archive.open(f"{name}.npy") as member:
            if np.lib.format.read_magic(member) != (1, 0):
                raise ValueError(f"{name} does not have version 1.0 of the .npy format")
            actual_shape, fortran, actual_dtype = np.lib.format.read_array_header_1_0(member)
            _check_array(name, (actual_shape, actual_dtype), (shape, dtype))
            values = np.frombuffer(member.read(), dtype)
        return values.reshape(shape, order="F" if fortran else "C")


def _safetensors_save() -> Any:
    try:
        from safetensors.numpy import save
    except ImportError:
        raise ImportError(f"saving to .safetensors {_INSTALL}; or save to .npz") from None
    return save


def _write_safetensors(file: IO[bytes], config: str, arrays: Mapping[str, Array]) -> None:
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    file.write(_safetensors_save()(tensors, metadata={_CONFIG: config}))


class _SafetensorsReader(Reader):
    """A JSON header and one block of bytes; the library checks that the header describes exactly these bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError:
            raise ImportError(f"reading .safetensors {_INSTALL}") from None
        try:
            self._file = cast(Any, safe_open)(file.name, framework="numpy")
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        metadata = self._file.metadata() or {}
        self.config = json.loads(metadata[_CONFIG])

    def arrays(self, expected: ArraySpecs) -> dict[str, Array]:
        _check_names(set(self._file.keys()), expected)
        arrays = {name: self._file.get_tensor(name) for name in expected}
        for name, array in arrays.items():
            _check_array(name, (array.shape, array.dtype), expected[name])
        return arrays
