"""Chunks that are prepared ahead: what callbacks change between epochs counts from the next step on."""

import numpy as np
import pytest
from training import EachEpoch, blobs

import fastgd as gd
from fastgd.training import ahead, steps

X, KIND = blobs()
X = X.astype("float32")


def make(optimizer=None, **options):
    model = gd.Sequential(gd.Dense(4, 8, "tanh"), gd.Dropout(0.2), gd.Dense(8, 3), seed=0)
    optimizer = optimizer or gd.Adam(0.01, average=gd.EMA(0.9), groups={"*.bias": {"lr": 2.0}})
    return gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=16, **options)


def other_rate(trainer):
    trainer.optimizer.lr = 0.003


def reduced_rate(trainer):
    trainer.optimizer.reduce_lr(0.5)


def other_optimizer(trainer):
    trainer.optimizer = gd.SGD(0.05, momentum=0.9)


def reset(trainer):
    trainer.optimizer.reset()


def freeze(trainer):
    trainer.model.freeze("0.*")


def prune(trainer):
    trainer.model.prune(0.5)


def other_theta(trainer):
    trainer.model.theta *= 0.5


def step_of_its_own(trainer):
    trainer.model.backward(0.01 * trainer.model.forward(X))
    trainer.optimizer.step(trainer.model)


CHANGES = [other_rate, reduced_rate, other_optimizer, reset, freeze, prune, other_theta, step_of_its_own]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_counts_from_the_next_step(engine, monkeypatch, change):
    def trained():
        trainer = make(grad_norm=True)
        then = EachEpoch(lambda trainer: change(trainer) if trainer.epoch in (5, 6, 12) else None)
        trainer.fit(X, KIND, epochs=20, validation=0.2, callbacks=[then], verbose=0)
        return trainer

    one = trained()
    monkeypatch.setattr(ahead, "_MAX", 0)
    other = trained()
    np.testing.assert_array_equal(one.model.theta, other.model.theta)
    for name in ("loss", "grad_norm", "validation_loss", "lr"):
        assert one.history[name] == other.history[name]


def test_most_epochs_find_their_chunk_prepared(engine, monkeypatch):
    made = []

    def make_chunk(*arguments):
        made.append(arguments[4])
        return steps.make_chunk(*arguments)

    monkeypatch.setattr(ahead, "make_chunk", make_chunk)
    make().fit(X, KIND, epochs=100, callbacks=[EachEpoch(lambda trainer: None)], verbose=0)
    assert len(made) <= 8
    assert (made[0].start, made[-1].stop) == (0, 400)


def test_functions_are_called_epoch_by_epoch(engine):
    rate = [0.1]
    trainer = make(gd.SGD(lambda epoch: rate[0]))
    halve = EachEpoch(lambda trainer: rate.append(rate.pop() / 2))
    trainer.fit(X, KIND, epochs=5, callbacks=[halve], verbose=0)
    assert trainer.history["lr"] == [0.1, 0.05, 0.025, 0.0125, 0.00625]


def test_a_schedule_that_ends_ahead(engine):
    class Ends(gd.schedules.Schedule):
        def rates(self, t, total_epochs):
            return np.where(t < 5, 0.1, np.nan)

    trainer = make(gd.SGD(Ends()))
    with pytest.raises(ValueError, match="gave nan at epoch 5"):
        trainer.fit(X, KIND, epochs=10, callbacks=[EachEpoch(lambda trainer: None)], verbose=0)
    assert trainer.epoch == 5
