"""Members of a population have the bits of training them alone."""

import threading

import numpy as np
import pytest
from populations import EPOCHS, X, Y, folds, member, members, same_training

import fastgd as gd
from fastgd import backend
from fastgd.data.shared import Shared


def alone(trainers, *args, **options):
    for trainer in trainers:
        trainer.fit(*args, verbose=0, **options)
    return trainers


def all_same(some, others):
    return all(same_training(one, other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize("n_threads", [None, 1, 3])
def test_bits_of_training_alone(engine, n_threads):
    population = gd.Population(members(), n_threads=n_threads)
    histories = population.fit(X, Y, EPOCHS, validation=0.2, verbose=0)
    assert all_same(population.trainers, alone(members(), X, Y, EPOCHS, validation=0.2))
    assert histories == [trainer.history for trainer in population.trainers]


def test_members_with_shards():
    population = gd.Population(members(2, shards=2))
    for _ in population.rounds(X, Y, EPOCHS, validation=0.25, verbose=0):
        pass
    assert all_same(population.trainers, alone(members(2, shards=2), X, Y, EPOCHS, validation=0.25))


def test_order_and_company_change_nothing():
    chosen = [3, 0, 2]
    population = gd.Population([member(i) for i in chosen])
    population.fit(X, Y, EPOCHS, verbose=0)
    others = gd.Population(members())
    others.fit(X, Y, EPOCHS, verbose=0)
    assert all_same(population.trainers, [others.trainers[i] for i in chosen])


def test_rows_weights_and_validation_of_each_member():
    training, held_out = folds()
    weights = np.random.default_rng(0).uniform(size=(4, len(X)))
    population = gd.Population(members())
    population.fit(X, Y, EPOCHS, rows=training, validation_rows=held_out, sample_weight=weights, verbose=0)
    reference = members()
    for trainer, rows, held, w in zip(reference, training, held_out, weights, strict=True):
        alone([trainer], X[rows], Y[rows], EPOCHS, sample_weight=w[rows], validation=(X[held], Y[held], w[held]))
    assert all_same(population.trainers, reference)


def test_validation_rows_are_not_trained_on():
    population, held = gd.Population(members()), np.arange(200, 240)
    population.fit(X, Y, 2, validation_rows=held, verbose=0)
    assert all_same(population.trainers, alone(members(), X[:200], Y[:200], 2, validation=(X[held], Y[held])))


def test_validation_of_all_or_of_each():
    pair = X[200:], Y[200:]
    for validation, of_each in (
        (pair, [pair] * 4),
        ([0.2, None, pair, gd.Split(0.25, stratify=True)], [0.2, None, pair, gd.Split(0.25, stratify=True)]),
    ):
        population, reference = gd.Population(members()), members()
        population.fit(X[:200], Y[:200], 2, validation=validation, verbose=0)
        for trainer, each in zip(reference, of_each, strict=True):
            alone([trainer], X[:200], Y[:200], 2, validation=each)
        assert all_same(population.trainers, reference)


def test_bootstrap_and_masks():
    rows = np.random.default_rng(0).integers(len(X), size=len(X))
    mask = np.arange(len(X)) % 3 > 0
    population, reference = gd.Population(members(2)), members(2)
    population.fit(X, Y, 2, rows=[rows, mask], verbose=0)
    alone(reference[:1], X[rows], Y[rows], 2)
    alone(reference[1:], X[mask], Y[mask], 2)
    assert all_same(population.trainers, reference)


def test_labels_that_a_fold_lacks():
    labels = np.array(list("abcdefghij"))[Y]
    rows = np.flatnonzero(labels != "c")
    population, reference = gd.Population(members(2)), members(2)
    population.fit(X, labels, 2, rows=rows, verbose=0)
    alone(reference, X[rows], labels[rows], 2, classes=np.unique(labels))
    assert all_same(population.trainers, reference)
    assert set(population.predict(X)) <= set("abcdefghij")


def test_frames_and_standardization():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X[:, 8:24], columns=[f"pixel{i}" for i in range(16)])

    def regressors():
        return [
            gd.Trainer(gd.MLP(16, n, 1, seed=0), loss=loss, standardize=scales)
            for n, loss, scales in ((8, "mse", True), (16, "huber", False), (8, "mae", "y"))
        ]

    population = gd.Population(regressors())
    population.fit(table, Y.astype(float), 3, validation=0.2, verbose=0)
    assert all_same(population.trainers, alone(regressors(), table, Y.astype(float), 3, validation=0.2))
    assert list(population.trainers[0].model.feature_names_in_) == list(table.columns)


def test_callbacks_of_each_member():
    def stopping(i):
        return [gd.EarlyStopping(patience=1 + i), gd.ReduceLROnPlateau(factor=0.5, patience=1)]

    population, reference = gd.Population(members()), members()
    population.fit(X, Y, 40, validation=0.3, callbacks=stopping, verbose=0)
    for i, trainer in enumerate(reference):
        alone([trainer], X, Y, 40, validation=0.3, callbacks=stopping(i))
    assert all_same(population.trainers, reference)
    assert [a.stop_reason for a in population.trainers] == [b.stop_reason for b in reference]


def test_epochs_auto():
    population = gd.Population(members(2))
    population.fit(X[:50], Y[:50], tol=0.05, n_iter_no_change=2, verbose=0)
    reference = alone(members(2), X[:50], Y[:50], tol=0.05, n_iter_no_change=2)
    assert all_same(population.trainers, reference)


def test_a_second_fit_continues():
    population = gd.Population(members())
    for epochs in (2, 3):
        population.fit(X, Y, epochs, validation=0.2, verbose=0)
    assert all_same(population.trainers, alone(alone(members(), X, Y, 2, validation=0.2), X, Y, 3, validation=0.2))


def test_rounds_are_one_fit():
    population = gd.Population(members())
    stopping = lambda i: [gd.EarlyStopping(patience=2)]  # noqa: E731
    done = list(population.rounds(X, Y, 12, every=5, validation=0.3, callbacks=stopping, verbose=0))
    reference = members()
    for i, trainer in enumerate(reference):
        alone([trainer], X, Y, 12, validation=0.3, callbacks=stopping(i))
    assert done[-1] == 12
    assert all_same(population.trainers, reference)


def test_members_dropped_between_rounds():
    population = gd.Population(members())
    for epoch in population.rounds(X, Y, EPOCHS, every=2, verbose=0):
        if epoch == 2:
            dropped = population.trainers.pop(1)
    assert dropped.epoch == 2
    assert all_same(population.trainers, alone([member(i) for i in (0, 2, 3)], X, Y, EPOCHS))


def test_leaving_the_rounds_and_finishing_later():
    population = gd.Population(members())
    for _ in population.rounds(X, Y, EPOCHS, every=2, verbose=0):
        break
    assert {trainer.epoch for trainer in population.trainers} == {2}
    population.fit(X, Y, epochs=None, verbose=0)
    assert all_same(population.trainers, alone(members(), X, Y, EPOCHS))
    with pytest.raises(ValueError, match="epochs=None resumes a run"):
        population.fit(X, Y, epochs=None, verbose=0)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_save_load_and_resume(tmp_path, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"population.{suffix}"
    population, options = gd.Population(members()), {"validation": 0.2, "verbose": 0}
    for _ in population.rounds(X, Y, EPOCHS, every=4, **options):
        population.save(path)
        break
    loaded = gd.Population.load(path, n_threads=2)
    assert all_same(loaded.trainers, population.trainers)
    loaded.fit(X, Y, epochs=None, **options)
    assert all_same(loaded.trainers, alone(members(), X, Y, EPOCHS, validation=0.2))
    with pytest.raises(ValueError, match="not a fastgd model file"):
        gd.Population.load(_other_file(tmp_path))


def _other_file(folder):
    member(0).save(folder / "trainer.npz")
    return folder / "trainer.npz"


def test_custom_losses_are_passed_again(tmp_path):
    def squared(Z, T):
        return float(np.square(Z - T).mean()), 2 * (Z - T) / Z.size

    population = gd.Population([gd.Trainer(gd.MLP(64, 4, 1, seed=i), loss=squared) for i in range(2)])
    population.fit(X, Y.astype("float32").reshape(-1, 1), 1, verbose=0)
    population.save(tmp_path / "population.npz")
    with pytest.raises(ValueError, match=r"Population\.load\(path, loss=\.\.\.\)"):
        gd.Population.load(tmp_path / "population.npz")
    loaded = gd.Population.load(tmp_path / "population.npz", loss=squared)
    assert all_same(loaded.trainers, population.trainers)


def test_data_are_read_once(monkeypatch):
    reads, read = [], Shared.read

    def counting(self, key, convert):
        return read(self, key, lambda values: reads.append(key) or convert(values))

    monkeypatch.setattr(Shared, "read", counting)
    population = gd.Population([member(0, seed=i) for i in range(5)])
    population.fit(X.tolist(), Y.tolist(), 1, validation=(X, Y), verbose=0)
    assert len(reads) == 4  # X and y, of training and validation


def test_members_have_one_thread_each_and_few_members_several():
    seen = []

    class Note(gd.Callback):
        def on_fit_begin(self, trainer):
            seen.append((backend.usable_threads(None), threading.current_thread() is threading.main_thread()))

    n = backend.default_threads()
    gd.Population(members()).fit(X, Y, 1, callbacks=lambda i: [Note()], verbose=0)
    assert seen == [(max(1, n // min(n, 4)), False)] * 4
    seen.clear()
    gd.Population(members(1)).fit(X, Y, 1, callbacks=lambda i: [Note()], verbose=0)
    assert seen == [(n, False)]
    assert backend.usable_threads(None) == 0


def test_progress(capsys):
    gd.Population(members()).fit(X, Y, 2, validation=0.2)
    text = capsys.readouterr().err
    assert "4/4 members" in text
    assert "epoch 8/8" in text
    assert "best validation_accuracy" in text
