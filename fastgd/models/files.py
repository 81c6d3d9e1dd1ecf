"""Model files: named arrays with a JSON config, as `.npz` (NumPy's own format) or `.safetensors`.

Both are safe to open: no pickle, no code, and no allocation larger than the file itself, whatever the file claims.  A
file is replaced as a whole (`_common/files.py`), so an older one survives a crash at any moment.  Open binary files are
taken too.  To read such a file without fastgd: `numpy.load(path)`, or any reader of safetensors.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EINVAL, ENOMEM
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import IO, Any, TypeAlias, cast
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from .._common.checks import shown
from .._common.files import check_replaceable, expand, open_regular, replacing
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


# Where to write to or read from: a path, or an open binary file such as `io.BytesIO`.
Target: TypeAlias = "str | os.PathLike[str] | IO[bytes]"


def save_arrays(
    target: Target, config: Mapping[str, Any], arrays: Mapping[str, Array], format: str | None = None
) -> None:
    """Write a JSON-serializable `config` and `arrays` to a file.

    Parameters
    ----------
    target : path or binary file object
        A path ends in .npz or .safetensors.
    config : mapping
    arrays : mapping of str to ndarray
    format : {"npz", "safetensors"} or None, default=None
        Of a file object; None: "npz".

    Raises
    ------
    ValueError
        The path has another suffix.
    TypeError
        `target` is neither a path nor a file object, or that has been opened for text.
    OSError
        The file cannot be written.
    ImportError
        The package safetensors is not installed.
    """
    write = {"npz": _write_npz, "safetensors": _write_safetensors}[_format(target, format)]
    if isinstance(target, (str, os.PathLike)):
        with replacing(target) as file:
            write(file, json.dumps(config), arrays)
    else:
        _check_writable(target)
        write(target, json.dumps(config), arrays)


def check_target(target: Target, format: str | None = None) -> None:
    """Raise now what `save_arrays` would raise later, as far as it can be known; no file is changed."""
    if _format(target, format) == "safetensors":
        _safetensors_save()
    if isinstance(target, (str, os.PathLike)):
        check_replaceable(target)
    else:
        _check_writable(target)


@contextmanager
def open_arrays(source: Target) -> Iterator[Reader]:
    """Open a file of `save_arrays`; whatever is wrong with its content becomes one ValueError.

    This covers every exception raised in the `with` block, because a malformed file can make json, zipfile, tokenize,
    NumPy and the parsers of the config raise almost anything.  Only a missing package, a lack of memory and errors of
    the disk are not the fault of the content.

    Parameters
    ----------
    source : path or binary file object
        The format of a file object is recognised by its content.

    Raises
    ------
    ValueError
        The file is damaged or of another kind.
    OSError
        It cannot be read, or is not a regular file.
    MemoryError
        It needs more memory than there is.
    ImportError
        The package safetensors is not installed.
    """
    format = _format(source, None)
    if isinstance(source, (str, os.PathLike)):
        with open_regular(source) as file, _faults_of(source):
            yield _NpzReader(file) if format == "npz" else _SafetensorsReader(file.name)
    elif _format_of_content(source) == "npz":
        with _faults_of(source):
            yield _NpzReader(source)
    else:  # the library opens files by name only
        with _faults_of(source), TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            with open(os.path.join(folder, "model"), "wb") as copy:
                copyfileobj(source, copy)
            yield _SafetensorsReader(copy.name)


@contextmanager
def _faults_of(source: Target) -> Iterator[None]:
    """Tell a damaged file from the other reasons for which it cannot be read."""
    name = source if isinstance(source, (str, os.PathLike)) else "the file object"
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        if isinstance(error, MemoryError) or number == ENOMEM:
            raise MemoryError(f"there is not enough memory to load {name}: {error}") from error
        if isinstance(error, OSError) and number not in (None, EINVAL):  # EINVAL: it claims impossible positions
            raise
        raise ValueError(f"{name} is not a fastgd model file, or it is damaged: {error!r}") from error


def _format(target: Target, format: str | None) -> str:
    """The format of a path by its suffix, or of a file object by the argument."""
    if format not in (None, "npz", "safetensors"):
        raise ValueError(f'format must be "npz" or "safetensors", not {format!r}')
    if not isinstance(target, (str, os.PathLike)):
        if not hasattr(target, "write") and not hasattr(target, "read"):
            raise TypeError(f"a model is saved to and loaded from a path or a binary file object, not {shown(target)}")
        return format or "npz"
    suffix = os.path.splitext(expand(target))[1]
    if suffix not in (".npz", ".safetensors"):
        raise ValueError(f"the name of a model file must end in .npz or .safetensors, not {suffix!r}: {target}")
    if format not in (None, suffix[1:]):
        raise ValueError(f"format={format!r} does not fit the suffix of {target}")
    return suffix[1:]


def _check_writable(file: IO[bytes]) -> None:
    try:
        file.write(b"")
    except TypeError:
        raise TypeError(f'{file!r} must be a binary file: open it with mode "wb"') from None


def _format_of_content(file: IO[bytes]) -> str:
    """The format of what an open file holds from its position on: a zip archive, or the header of safetensors."""
    if not isinstance(file.read(0), bytes):
        raise TypeError(f'{file!r} must be a binary file: open it with mode "rb"')
    if not file.seekable():
        raise TypeError(f"{file!r} must be seekable: pass io.BytesIO(file.read())")
    start = file.tell()
    if file.seek(0, os.SEEK_END) <= start:  # a device has no end, and zipfile would look for it
        raise ValueError("the file object is not a fastgd model file, or it is damaged: it is at its end already")
    file.seek(start)
    head = file.read(9)
    file.seek(start)
    return "safetensors" if head[8:] == b"{" else "npz"


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
        size = file.seek(0, os.SEEK_END)
        self._archive = ZipFile(file)
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

    def __init__(self, path: str) -> None:
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError:
            raise ImportError(f"reading .safetensors {_INSTALL}") from None
        try:
            self._file = cast(Any, safe_open)(path, framework="numpy")
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
