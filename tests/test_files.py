"""Writing and reading files: links, permissions, names, leftovers, file objects, devices, limits of memory."""

import errno
import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from training import fit, make

import fastgd as gd
from fastgd._common import files

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and locks of POSIX")
as_user = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")


@pytest.fixture(params=[".npz", ".safetensors"])
def suffix(request):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return request.param


def model_of(seed=0):
    return gd.MLP(3, 4, 2, seed=seed)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@posix
def test_a_link_is_followed(tmp_path, suffix):
    target, link = tmp_path / "data" / f"model{suffix}", tmp_path / f"link{suffix}"
    target.parent.mkdir()
    link.symlink_to(target)
    for seed in range(2):  # a dangling link, then one to an existing file
        model_of(seed).save(link)
        assert link.is_symlink()
        np.testing.assert_array_equal(gd.load(target).theta, model_of(seed).theta)
    assert (names_in(tmp_path), names_in(target.parent)) == (["data", link.name], [target.name])


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_permissions_stay(tmp_path, mode, suffix):
    path = tmp_path / f"model{suffix}"
    path.touch()
    path.chmod(mode)
    model_of().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_of_a_new_file_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        model_of().save(tmp_path / "model.npz")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.npz").stat().st_mode) == 0o666 & ~umask


def test_long_names(tmp_path, suffix):
    path = tmp_path / ("m" * (255 - len(suffix)) + suffix)
    model_of().save(path)
    gd.load(path)
    with pytest.raises(OSError, match="name too long|No such file") as caught:
        model_of().save(tmp_path / ("m" * 256 + suffix))
    assert ".part" not in str(caught.value)
    assert names_in(tmp_path) == [path.name]


def test_the_home_folder(tmp_path, monkeypatch, suffix):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    model_of().save(f"~/model{suffix}")
    np.testing.assert_array_equal(gd.load(f"~/model{suffix}").theta, gd.load(tmp_path / f"model{suffix}").theta)
    trainer = make()
    fit(trainer, 1, callbacks=[gd.callbacks.Checkpoint("~/run.npz"), gd.callbacks.CSVLogger("~/run.csv")])
    assert gd.Trainer.load(Path("~/run.npz")).epoch == 1
    assert names_in(tmp_path) == [f"model{suffix}", "run.csv", "run.npz"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_errors_name_the_path_of_the_user(tmp_path, monkeypatch, number):
    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "model.npz"
    with pytest.raises(OSError, match="model.npz") as caught:
        model_of().save(path)
    assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert names_in(tmp_path) == []


def test_what_cannot_be_replaced_is_refused(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="folder.npz is a folder"):
        model_of().save(tmp_path / "folder.npz")
    with pytest.raises(FileNotFoundError, match="there is no folder .*none to save model.npz in: create it first"):
        model_of().save(tmp_path / "none" / "model.npz")
    assert names_in(tmp_path) == ["folder.npz"]


@as_user
def test_read_only_files_and_folders(tmp_path):
    path = tmp_path / "model.npz"
    model_of().save(path)
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="model.npz cannot be written"):
        model_of(1).save(path)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="other.npz") as caught:
            model_of().save(tmp_path / "other.npz")
        assert ".part" not in str(caught.value)
    finally:
        tmp_path.chmod(0o700)


@posix
@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full"])
def test_devices_are_refused(tmp_path, device, suffix):
    """Neither replaced by a file, nor read without end."""
    link = tmp_path / f"model{suffix}"
    link.symlink_to(device)
    with pytest.raises(OSError, match="is not a regular file"):
        model_of().save(link)
    with pytest.raises(OSError, match="is not a regular file"):
        gd.load(link)
    assert stat.S_ISCHR(os.stat(device).st_mode)


@posix
def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for call in (model_of().save, gd.load, gd.Trainer.load):
        with pytest.raises(OSError, match="pipe.npz is not a regular file"):
            call(tmp_path / "pipe.npz")


@posix
def test_an_object_that_reads_a_device_has_an_end():
    with open("/dev/zero", "rb") as zeros, pytest.raises(ValueError, match="the file object is not a fastgd model"):
        gd.load(zeros)


KILLED = """
import os, sys
import fastgd as gd
os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
gd.MLP(3, 4, 2, seed=0).save(sys.argv[1])
"""


@pytest.mark.skipif(not files.HAS_LOCKS, reason="needs locks")
def test_what_a_killed_process_left_is_removed_by_the_next_save(tmp_path):
    path = tmp_path / "model.npz"
    for _ in range(3):
        subprocess.run([sys.executable, "-c", KILLED, path], check=False, timeout=60)
    [left] = names_in(tmp_path)
    assert left.startswith(".fastgd-")
    model_of().save(tmp_path / "other.npz")
    assert names_in(tmp_path) == [left, "other.npz"]
    model_of().save(path)
    assert names_in(tmp_path) == ["model.npz", "other.npz"]


@pytest.mark.skipif(not files.HAS_LOCKS, reason="needs locks")
def test_what_another_process_is_writing_is_left_alone(tmp_path):
    path = tmp_path / "model.npz"
    with files.replacing(path) as first:
        first.write(b"first")
        [part] = names_in(tmp_path)
        model_of().save(path)  # as if from another process
        assert names_in(tmp_path) == [part, "model.npz"]
    assert path.read_bytes() == b"first"
    assert names_in(tmp_path) == ["model.npz"]


def test_many_threads_save_to_one_file(tmp_path):
    path, models = tmp_path / "model.npz", [model_of(seed) for seed in range(6)]
    threads = [threading.Thread(target=lambda m=model: [m.save(path) for _ in range(20)]) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any((gd.load(path).theta == model.theta).all() for model in models)
    assert names_in(tmp_path) == ["model.npz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), ValueError("mine")])
def test_a_block_that_raises_changes_nothing(tmp_path, error):
    (tmp_path / "a").write_bytes(b"old")

    def replace():
        with files.replacing(tmp_path / "a") as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        replace()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize("format", [None, "npz", "safetensors"])
def test_file_objects(format, tmp_path):
    if format == "safetensors":
        pytest.importorskip("safetensors")
    model, trainer = model_of(), make(optimizer=gd.Adam(lr=0.01))
    fit(trainer, 2)
    for memory in (io.BytesIO(), open(tmp_path / "some.file", "wb+"), open(tmp_path / "raw", "wb+", buffering=0)):  # noqa: SIM115
        with memory:
            memory.write(b"before")
            model.save(memory, format=format)
            end = memory.tell()
            memory.seek(len(b"before"))
            np.testing.assert_array_equal(gd.load(memory).theta, model.theta)
            assert not memory.closed
            memory.seek(end)
            trainer.save(memory, format)
            memory.seek(end)
            loaded = gd.Trainer.load(memory)
            fit(loaded, 1)
    same = make(optimizer=gd.Adam(lr=0.01))
    fit(same, 3)
    np.testing.assert_array_equal(loaded.model.theta, same.model.theta)


def test_numpy_reads_what_was_written_to_memory():
    memory = io.BytesIO()
    model_of().save(memory)
    memory.seek(0)
    with np.load(memory) as arrays:
        np.testing.assert_array_equal(arrays["0.weight"], model_of().parameters()["0.weight"])


class Stream(io.RawIOBase):
    """Neither readable twice nor seekable, as the socket of a download."""

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, buffer):
        return 0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: model_of().save(io.StringIO()), TypeError, 'open it with mode "wb"'),
        (lambda: gd.load(io.StringIO("text")), TypeError, 'open it with mode "rb"'),
        (lambda: gd.load(Stream()), TypeError, r"pass io.BytesIO\(file.read\(\)\)"),
        (lambda: gd.load(io.BytesIO()), ValueError, "the file object is not a fastgd model file"),
        (lambda: gd.load(io.BytesIO(b"PK\x03\x04" + bytes(99))), ValueError, "the file object is not a fastgd"),
        (lambda: gd.load(5), TypeError, "a path or a binary file object, not 5"),
        (lambda: gd.load(None), TypeError, "a path or a binary file object, not None"),
        (lambda: model_of().save(b"model.npz"), TypeError, "a path or a binary file object, not b'model.npz'"),
        (lambda: model_of().save(["a.npz"]), TypeError, "a path or a binary file object"),
        (lambda: model_of().save(io.BytesIO(), "zip"), ValueError, 'format must be "npz" or "safetensors", not'),
        (lambda: model_of().save("model.npz", "safetensors"), ValueError, "does not fit the suffix of model.npz"),
        (lambda: make().save(io.StringIO()), TypeError, 'open it with mode "wb"'),
    ],
)
def test_what_is_no_file_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_every_kind_of_path(tmp_path, monkeypatch):
    class PathLike:
        def __fspath__(self):
            return str(tmp_path / "c.npz")

    monkeypatch.chdir(tmp_path)
    for path in ("a.npz", Path("b.npz"), PathLike(), np.str_("d.npz")):
        model_of().save(path)
        gd.load(path)
    assert names_in(tmp_path) == ["a.npz", "b.npz", "c.npz", "d.npz"]


def test_a_safetensors_object_that_is_damaged(tmp_path):
    pytest.importorskip("safetensors")
    memory = io.BytesIO()
    model_of().save(memory, "safetensors")
    whole = memory.getvalue()
    for length in range(0, len(whole), 37):
        with pytest.raises(ValueError, match="is not a fastgd model file, or it is damaged"):
            gd.load(io.BytesIO(whole[:length]))


def test_a_disk_that_cannot_be_read_is_not_a_damaged_file(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    model_of().save(path)

    def fail(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fastgd.models.files.ZipFile", fail)
    with pytest.raises(OSError, match="Input/output error"):
        gd.load(path)
