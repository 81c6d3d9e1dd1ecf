"""Trainer files: interrupted while being written, damaged, foreign, almost valid."""

import copy
import json
import os
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from training import fit, make

import fastgd as gd
from fastgd.callbacks import StepBudget
from fastgd.models import files


def test_a_crash_while_saving_leaves_the_older_file(tmp_path, monkeypatch):
    path, trainer = tmp_path / "run.npz", make()
    fit(trainer, 1)
    trainer.save(path)
    fit(trainer, 1)

    def crash(descriptor):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="full"):
        trainer.save(path)
    assert gd.Trainer.load(path).epoch == 1
    assert os.listdir(tmp_path) == ["run.npz"]


SAVE_FOREVER = """
import sys
import fastgd as gd
X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]
trainer = gd.Trainer(gd.MLP(1, 200, 200, 1, seed=0), loss="mse", optimizer=gd.Adam(lr=1e-6), batch_size=4)
while True:
    trainer.fit(X, y, epochs=1, verbose=0)
    trainer.save(sys.argv[1])
    print(trainer.epoch, flush=True)
"""


def test_killed_in_the_middle_of_saves(tmp_path):
    """SIGKILL at arbitrary moments: the file is complete, and the last one that was saved."""
    path = tmp_path / "run.npz"
    for kill in range(4):
        child = subprocess.Popen([sys.executable, "-c", SAVE_FOREVER, path], stdout=subprocess.PIPE, text=True)
        saved = [int(child.stdout.readline()) for _ in range(3 + 5 * kill)][-1]
        time.sleep(0.0007 * kill)
        child.kill()
        saved = max([saved, *map(int, child.communicate()[0].split())])
        loaded = gd.Trainer.load(path)
        assert loaded.epoch in (saved, saved + 1)
        assert len(loaded.history["loss"]) == loaded.epoch


def test_what_is_no_trainer_is_refused(tmp_path):
    trainer = make()
    fit(trainer, 2, callbacks=[StepBudget(5)])
    trainer.model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="its format is 'fastgd model 1'"):
        gd.Trainer.load(tmp_path / "model.npz")
    trainer.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="its format is 'fastgd trainer 1'"):
        gd.load(tmp_path / "run.npz")


@pytest.mark.parametrize(
    "damage",
    [
        {"epoch": -1},
        {"step": "x"},
        {"begun": {"rows": 50, "batch": 16, "steps": 2}},
        {"optimizer": {"name": "sgd", "lr": -1}},
        {"optimizer": {"name": "os.system"}},
        {"optimizer": {"name": "sgd", "lr": {"kind": "Function", "function": 1}}},
        {"loss": {"name": "none"}},
        {"slots": 3},
        {"history": ["epoch"]},
        {"callbacks": [{"name": "X", "numbers": {}, "vectors": {"theta": 10**12}}]},
        {"callbacks": [{"name": "X", "numbers": {"best": "x"}, "vectors": {}}]},
        {"batch_size": "x"},
        {"batch_size": 0},
        {"seed": -1},
        {"step": 10**30},
        {"metrics": ["os.system"]},
        {"metrics": 3},
        {"stopped": 0},
        {"optimizer": {"name": "adam"}},
    ],
    ids=str,
)
def test_damaged_configs_are_refused(damage, tmp_path):
    path = tmp_path / "run.npz"
    config, arrays = file_of_a_run(path)
    files.save_arrays(path, config | damage, arrays)
    with pytest.raises(ValueError, match="is not a fastgd model file, or it is damaged"):
        gd.Trainer.load(path)


def file_of_a_run(path):
    """Config and arrays of a file that has everything in it."""
    trainer = make(optimizer=gd.SGD(lr=gd.Warmup(gd.Step(0.1, 2), 1), momentum=0.9))
    fit(trainer, 9, validation=0.3, callbacks=[gd.EarlyStopping(), StepBudget(13)])
    trainer.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file if name != "fastgd.json"}
    with files.open_arrays(path) as reader:
        return reader.config, arrays


STRANGE = (None, True, -1, 0, 3, 1e300, float("nan"), 10**30, "", "x", [], [[]], {}, {"name": "x"}, {"kind": "Step"})


def mutated(config, rng):
    """A copy with one value, somewhere deep in it, replaced, left out or added."""
    config = copy.deepcopy(config)
    part = config
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = keys[rng.integers(len(keys))]
        if not isinstance(part[key], (dict, list)) or not part[key] or rng.random() < 0.3:
            break
        part = part[key]
    action, value = rng.integers(4), copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])
    if action == 0:
        del part[key]
    elif action == 1 and isinstance(part, dict):
        part["extra"] = value
    else:
        part[key] = value
    return config


def test_almost_valid_files_raise_value_errors_only(tmp_path):
    """A file that is loaded nevertheless has passed all checks: it can be trained."""
    path = tmp_path / "run.npz"
    config, arrays = file_of_a_run(path)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(400):
        changed = mutated(config, rng)
        files.save_arrays(path, changed, arrays)
        try:
            trainer = gd.Trainer.load(path)
        except ValueError:
            refused += 1
            continue
        assert trainer.model.size == 4 * 8 + 8 + 8 * 3 + 3, json.dumps(changed)
        trainer.standardize = False  # True is valid, but of no use to a model that was trained without
        fit(trainer, 1)
    assert 200 < refused < 400


def test_almost_valid_headers_of_arrays_raise_value_errors_only(tmp_path):
    """Bytes of the .npy header, which NumPy parses as a Python literal; the checksums of the archive are correct."""
    path = tmp_path / "run.npz"
    make().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    rng, refused = np.random.default_rng(0), 0
    texts = [b"(", b"[", b"'", b"\\", b"#", b"\n ", b"\x00", b"9" * 30, b"(" * 60, b"L", b"\xff"]
    for _ in range(300):
        header = bytearray(members["0.bias.npy"])
        place = rng.integers(0, 100)
        text = texts[rng.integers(len(texts))]
        header[place : place + len(text)] = text
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (members | {"0.bias.npy": bytes(header)}).items():
                archive.writestr(name, content)
        try:
            gd.Trainer.load(path)  # trailing blanks of a header have no meaning
        except ValueError:
            refused += 1
    assert refused > 200
