"""Files that are replaced as a whole: a reader finds the old content or the new one, never a part.

The new content goes to a file in the same folder, is flushed to disk, and then takes the name of the old file.  That
file is called `.fastgd-<hash of the name>.part` and locked while it is written.  If the process is killed meanwhile, it
stays behind, and the next writer of the same file removes it, because nobody holds the lock.  A second writer of the
same file, or one on a system without such locks (Windows), uses a name of its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TypeAlias
from zlib import crc32

try:
    import fcntl
except ImportError:  # Windows
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

Path: TypeAlias = "str | os.PathLike[str]"

_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def expand(path: Path) -> str:
    """The path as text, with `~` replaced by the home folder.

    Raises
    ------
    TypeError
        It is neither text nor a path.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(text, str):
        raise TypeError(f"a path must be a str or an os.PathLike, not {path!r}")
    return os.path.expanduser(text)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file whose content replaces that of `path` at the end of the block, unless it raises.

    A symbolic link is followed, and an existing file keeps its permissions and, where the system allows it, its owner.

    Raises
    ------
    OSError
        The folder does not exist, the path is not a regular file or may not be written, or writing fails.
    """
    with _errors_name(path):
        target = _target(path)
        part, descriptor = _create_part(target)
        try:
            with open(descriptor, "wb") as file:
                _copy_permissions(target, descriptor)
                yield file
                file.flush()
                os.fsync(descriptor)
                if HAS_LOCKS:  # rename it while it is locked; Windows cannot rename an open file
                    os.replace(part, target)
            if not HAS_LOCKS:
                os.replace(part, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
        _sync_folder(os.path.dirname(target))


def check_replaceable(path: Path) -> None:
    """Raise what `replacing(path)` would raise before anything is written, and leave no file."""
    with _errors_name(path):
        part, descriptor = _create_part(_target(path))
        os.close(descriptor)
        os.unlink(part)


def open_regular(path: Path) -> IO[bytes]:
    """Open an existing file to read; OSError if it is a folder, or a device or pipe, which may have no end."""
    name = expand(path)
    if not stat.S_ISREG(os.stat(name).st_mode):  # before it is opened: that would wait for the writer of a pipe
        raise OSError(f"{path} is not a regular file")
    return open(name, "rb")


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Raise errors of the system with the path of the user, whichever file they were about."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == os.fspath(path):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _target(path: Path) -> str:
    """The file to replace: absolute, links followed, checked as far as possible without writing."""
    target = os.path.realpath(expand(path))
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder} to save {os.path.basename(target)} in: create it first")
    with suppress(FileNotFoundError):
        if os.path.isdir(target):
            raise IsADirectoryError(f"{path} is a folder: add the name of a file")
        if not stat.S_ISREG(os.stat(target).st_mode):
            raise OSError(f"{path} is not a regular file: pass an open file to write to a device or pipe")
        if not os.access(target, os.W_OK):
            raise PermissionError(f"{path} cannot be written: it is read-only")
    return target


def _create_part(target: str) -> tuple[str, int]:
    """Create the file that is to become `target`; its path and descriptor."""
    folder, name = os.path.split(target)
    prefix = os.path.join(folder, f".fastgd-{crc32(os.fsencode(name)):08x}")
    if HAS_LOCKS:
        fixed = f"{prefix}.part"
        _remove_stale(fixed)
        with suppress(FileExistsError):
            descriptor = _create(fixed)
            if _keeps_name(descriptor, fixed):
                return fixed, descriptor
            os.close(descriptor)
    unique = f"{prefix}-{os.urandom(8).hex()}.part"
    return unique, _create(unique)


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)


def _remove_stale(part: str) -> None:
    """Remove what a killed process left; nothing happens if there is no such file, or somebody has locked it."""
    with suppress(OSError):
        descriptor = os.open(part, os.O_WRONLY | _FLAGS)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.lstat(part)):  # it may have been renamed since
                os.unlink(part)
        finally:
            os.close(descriptor)


def _keeps_name(descriptor: int, part: str) -> bool:
    """Lock a new file until it is closed; False if `_remove_stale` of another process was faster."""
    with suppress(OSError):  # a file system without locks, where nothing is ever taken for stale
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(part))
    return False


def _copy_permissions(target: str, descriptor: int) -> None:
    with suppress(OSError, AttributeError):  # a new file, or Windows
        status = os.stat(target)
        with suppress(OSError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _sync_folder(folder: str) -> None:
    """Flush the renaming to disk too; where folders cannot be opened (Windows), this is left to the system."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
