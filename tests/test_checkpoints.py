"""`Checkpoint` refuses beforehand what it could not save later; `CSVLogger` has each epoch once; resumed runs."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
from training import fit, make, problem

import fastgd as gd
from fastgd.callbacks import Checkpoint, CSVLogger, EveryEpoch, StepBudget


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("none/a.npz", FileNotFoundError, "there is no folder .*none"),
        ("none/{epoch}.npz", FileNotFoundError, "there is no folder .*none"),
        ("none/{epoch}/a.npz", FileNotFoundError, "there is no folder .*none"),
        ("file/a.npz", FileNotFoundError, "there is no folder .*file"),
        ("folder.npz", IsADirectoryError, "is a folder"),
        ("x" * 240 + "{epoch}{step:012}.npz", OSError, "too long"),
        ("x" * 250 + "{epoch}.npz", OSError, "too long"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"epochs": 5}, {"minutes": 99}, {"best": "validation_loss"}], ids=str)
def test_paths_are_refused_before_the_training(tmp_path, monkeypatch, path, options, error, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder.npz").mkdir()
    trainer = make()
    with pytest.raises(error, match=words):
        fit(trainer, 10, validation=0.2, callbacks=[Checkpoint(path, **options)])
    assert trainer.step == 0
    assert names_in(tmp_path) == ["file", "folder.npz"]


def test_a_name_that_becomes_too_long_is_refused_at_once(tmp_path):
    path = tmp_path / ("x" * (255 - len("9.npz")) + "{epoch}.npz")
    fit(make(), 9, callbacks=[Checkpoint(path, epochs=9)])
    with pytest.raises(OSError, match="too long"):
        fit(make(), 10, callbacks=[Checkpoint(path, epochs=9)])
    assert len(names_in(tmp_path)) == 1


def test_folders_named_after_the_epoch_are_created(tmp_path):
    fit(make(), 4, callbacks=[Checkpoint(tmp_path / "run {epoch:03}" / "{step}.npz", epochs=2)])
    assert names_in(tmp_path) == ["run 002", "run 004"]
    assert gd.Trainer.load(tmp_path / "run 004" / "16.npz").epoch == 4


def test_a_relative_path_stays_where_it_was_checked(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    move = EveryEpoch(lambda trainer: os.chdir(tmp_path / "elsewhere"))
    fit(make(), 2, callbacks=[Checkpoint("a{epoch}.npz"), CSVLogger("log.csv"), move])
    assert names_in(tmp_path) == ["a1.npz", "a2.npz", "elsewhere", "log.csv"]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "labels", [["a", "b", "c"], [1.5, 2.5, 3.5], np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "datetime64[D]")]
)
def test_labels_that_can_be_trained_on_can_be_saved(tmp_path, labels):
    X, y, _ = problem()
    labels = np.asarray(labels)
    make().fit(X, labels[y], epochs=4, verbose=0, callbacks=[Checkpoint(tmp_path / "a.npz", epochs=3)])
    np.testing.assert_array_equal(gd.Trainer.load(tmp_path / "a.npz").model.head.classes, labels)


class Custom(gd.SGD):
    """No file can hold its code."""


@pytest.mark.parametrize(
    "optimizer",
    [gd.SGD(lr=lambda epoch: 0.1), gd.Adam(lr=gd.Warmup(lambda epoch: 0.1, 2)), Custom()],
    ids=["lr", "inner", "class"],
)
def test_code_that_cannot_be_saved_is_refused_before_the_training(tmp_path, optimizer):
    trainer = make(optimizer=optimizer)
    with pytest.raises(TypeError, match="cannot be saved"):
        fit(trainer, 9, callbacks=[Checkpoint(tmp_path / "a.npz", epochs=5)])
    assert (trainer.step, names_in(tmp_path)) == (0, [])


@pytest.mark.parametrize("options", [{"epochs": 2}, {"minutes": 1}, {"epochs": 2, "minutes": 1}])
def test_best_is_a_checkpoint_of_its_own(options):
    with pytest.raises(ValueError, match="use two checkpoints with a path each"):
        Checkpoint("a.npz", best="loss", **options)


def test_the_best_epoch_is_kept(engine, tmp_path):
    trainer = make(optimizer=gd.SGD(lr=1.5))
    saver = Checkpoint(tmp_path / "best.npz", best="validation_loss")
    every = Checkpoint(tmp_path / "{epoch}.npz")
    history = fit(trainer, 30, validation=0.3, callbacks=[saver, every])
    best = int(np.argmin(history["validation_loss"])) + 1
    assert best < 30
    loaded = gd.Trainer.load(tmp_path / "best.npz")
    assert (loaded.epoch, loaded.history["validation_loss"][-1]) == (best, min(history["validation_loss"]))
    np.testing.assert_array_equal(loaded.model.theta, gd.Trainer.load(tmp_path / f"{best}.npz").model.theta)


def test_the_best_by_a_score_and_by_mode(tmp_path):
    for column, mode, pick in (
        ("validation_accuracy", None, np.argmax),
        ("validation_loss", "max", np.argmax),
        ("loss", None, np.argmin),
    ):
        trainer = make(optimizer=gd.SGD(lr=1.5))
        saver = Checkpoint(tmp_path / "best.safetensors", best=column, mode=mode)
        pytest.importorskip("safetensors")
        history = fit(trainer, 12, validation=0.3, callbacks=[saver])
        assert gd.Trainer.load(tmp_path / "best.safetensors").epoch == pick(history[column]) + 1


def test_a_resumed_run_does_not_overwrite_a_better_checkpoint(engine, tmp_path):
    """Among several checkpoints, each gets its own memory back."""
    whole, stopped = make(optimizer=gd.SGD(lr=1.5)), make(optimizer=gd.SGD(lr=1.5))

    def savers(folder):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder
        return [
            Checkpoint(path / "every.npz", epochs=3),
            Checkpoint(path / "loss.npz", best="validation_loss"),
            Checkpoint(path / "accuracy.npz", best="validation_accuracy"),
        ]

    history = fit(whole, 30, validation=0.3, callbacks=savers("whole"))
    step = 3 * (int(np.argmin(history["validation_loss"])) + 2) + 1
    fit(stopped, 30, validation=0.3, callbacks=[*savers("stopped"), StepBudget(step)])
    stopped.save(tmp_path / "run.npz")
    loaded = gd.Trainer.load(tmp_path / "run.npz")
    fit(loaded, None, validation=0.3, callbacks=savers("stopped"))
    for name in ("every", "loss", "accuracy"):
        one, other = (gd.Trainer.load(tmp_path / folder / f"{name}.npz") for folder in ("whole", "stopped"))
        assert one.epoch == other.epoch
        np.testing.assert_array_equal(one.model.theta, other.model.theta)


def test_best_begins_anew_in_each_fit(tmp_path):
    saver = Checkpoint(tmp_path / "best.npz", best="loss")
    fit(make(), 20, callbacks=[saver])
    fit(make(), 2, callbacks=[saver])
    assert gd.Trainer.load(tmp_path / "best.npz").epoch == 2


def logged(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def check_log(path, trainer, without=("seconds",)):
    got = logged(path)
    assert list(got) == list(trainer.history)
    for name in got:
        if name not in without:
            assert got[name] == trainer.history[name]


@pytest.mark.parametrize("step", [1, 8, 14, 20])
def test_each_epoch_is_logged_once_after_a_resume(engine, tmp_path, step):
    """The run was killed later than its last checkpoint."""
    path, log = tmp_path / "run.npz", tmp_path / "log.csv"
    killed = make()

    def kill(trainer):
        if trainer.step == step:
            trainer.save(path)
        if trainer.epoch == 5:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fit(killed, 8, callbacks=[CSVLogger(log), gd.callbacks.EveryStep(kill)])
    assert logged(log)["epoch"] == [1, 2, 3, 4, 5]
    loaded = gd.Trainer.load(path)
    fit(loaded, None, callbacks=[CSVLogger(log)])
    assert logged(log)["epoch"] == list(range(1, 9))
    check_log(log, loaded)


def test_a_log_is_continued_or_begun_anew(tmp_path):
    log, trainer = tmp_path / "log.csv", make()
    for _ in range(3):
        fit(trainer, 2, callbacks=[CSVLogger(log)])
    check_log(log, trainer)
    assert len(logged(log)["epoch"]) == 6
    fit(trainer, 2, callbacks=[CSVLogger(log, append=False)])
    assert logged(log)["epoch"] == [7, 8]
    other = make()
    fit(other, 3, callbacks=[CSVLogger(log)])
    check_log(log, other)
    log.write_text("")
    fit(other, 1, callbacks=[CSVLogger(log)])
    assert logged(log)["epoch"] == [4]


@pytest.mark.parametrize("cut", [1, 2, 7, 25])
def test_a_row_that_was_cut_off_is_dropped(tmp_path, cut):
    log, trainer = tmp_path / "log.csv", make()
    fit(trainer, 3, callbacks=[CSVLogger(log)])
    log.write_bytes(log.read_bytes()[:-cut])
    fit(trainer, 1, callbacks=[CSVLogger(log)])
    assert logged(log)["epoch"] == [1, 2, 4]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"epoch,loss\n1,2\n", "has the columns epoch, loss, but this fit records epoch, loss, lr, seconds"),
        (b"a text\nof some lines\n", "is not a log of epochs|has the columns"),
        (b"epoch,loss,lr,seconds\none,1,1,1\n", "is not a log of epochs"),
        (b"\xff\xfe\x00\n", "is not a log of epochs"),
        (b"epoch,loss,lr,seconds\n\n", "is not a log of epochs"),
        (b"x" * 200_000 + b"\n", "is not a log of epochs"),
    ],
)
def test_other_files_are_refused_and_kept(tmp_path, content, words):
    log, trainer = tmp_path / "log.csv", make()
    log.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        fit(trainer, 1, callbacks=[CSVLogger(log)])
    assert (trainer.step, log.read_bytes()) == (0, content)


def test_a_log_without_a_folder_is_refused_before_the_training(tmp_path):
    trainer = make()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        fit(trainer, 1, callbacks=[CSVLogger(tmp_path / "none" / "log.csv")])
    with pytest.raises(IsADirectoryError):
        fit(trainer, 1, callbacks=[CSVLogger(tmp_path)])
    assert trainer.step == 0


def test_many_columns(tmp_path):
    """A log with a column per metric is read once."""
    metrics = [gd.metrics.Metric(f"m{i}", lambda y, p, w: 0.0, "encoded") for i in range(3000)]
    trainer = make(metrics=metrics)
    for _ in range(2):
        fit(trainer, 1, validation=0.2, callbacks=[CSVLogger(tmp_path / "log.csv")])
    check_log(tmp_path / "log.csv", trainer)


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
sys.path[:0] = sys.argv[2:]
from training import fit, make
from fastgd.callbacks import CSVLogger
trainer, errors = make(), 0
try:
    fit(trainer, 50, callbacks=[CSVLogger(sys.argv[1])])
except OSError as error:
    print(error.errno, error.filename, trainer.step)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1 << 20)
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device_is_one_error(tmp_path):
    command = [sys.executable, "-c", FULL, "/dev/full", os.path.dirname(os.path.dirname(gd.__file__)), *sys.path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert run.stdout.splitlines() == ["28 /dev/full 0", "True"], run.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_log_may_be_a_device_or_pipe(tmp_path):
    fit(make(), 2, callbacks=[CSVLogger("/dev/null")])
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        fit(make(), 2, callbacks=[CSVLogger(tmp_path / "pipe")])
        assert os.read(reader, 10_000).count(b"\n") == 3
    finally:
        os.close(reader)


def test_tensorboard_hides_what_is_trained_again(tmp_path, monkeypatch):
    tensorboard = pytest.importorskip("tensorboardX")
    made = []
    writer = tensorboard.SummaryWriter
    monkeypatch.setattr(tensorboard, "SummaryWriter", lambda *a, **k: made.append(k) or writer(*a, **k))
    trainer = make()
    fit(trainer, 2, callbacks=[gd.callbacks.TensorBoard(tmp_path)])
    fit(trainer, 1, callbacks=[gd.callbacks.TensorBoard(tmp_path)])
    assert made == [{"purge_step": 1}, {"purge_step": 3}]
