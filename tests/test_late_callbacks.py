"""Callbacks that need not look at each epoch: the engine does several, which they see afterwards."""

import numpy as np
import pytest
from training import Chunks, EachEpoch, fit, make, problem

import fastgd as gd


class Late(gd.Callback):
    """Looks at every n-th epoch."""

    def __init__(self, n):
        self.n, self.calls, self.norms = n, [], []

    def next_epoch(self, trainer):
        return trainer.epoch - trainer.epoch % self.n + self.n

    def on_epoch_trained(self, model):
        self.norms.append(float(np.vdot(model.theta, model.theta)))

    def on_epoch_end(self, trainer, logs):
        assert logs == {name: trainer.history[name][logs["epoch"] - 1] for name in trainer.run.columns}
        self.calls.append((trainer.epoch, logs["epoch"]))


@pytest.mark.parametrize("validation", [None, 0.2])
@pytest.mark.parametrize("loss", ["mse", lambda Z, Y: (float(((Z - Y) ** 2).sum()), 2 * (Z - Y))])
def test_epochs_that_end_before_a_callback_looks_at_them(engine, loss, validation):
    """They are done in one call of the engine unless that calls Python, and seen afterwards, with theta of each."""
    X, y, _ = problem("mse")
    Y, late, norms = y[:, np.newaxis], Late(3), []
    alone, trainer = (gd.Trainer(gd.MLP(4, 8, 1, seed=0), loss=loss, batch_size=16) for _ in range(2))
    each = EachEpoch(lambda trainer: norms.append(float(np.vdot(trainer.model.theta, trainer.model.theta))))
    alone.fit(X, Y, 7, validation=validation, callbacks=[each], verbose=0)
    chunks = Chunks()
    trainer.fit(X, Y, 7, validation=validation, callbacks=[late, chunks], verbose=0)
    assert trainer.model.theta.tobytes() == alone.model.theta.tobytes()
    assert trainer.history["loss"] == alone.history["loss"]
    assert late.norms == norms
    assert [epoch for _, epoch in late.calls] == list(range(1, 8))
    assert {seen for seen, _ in late.calls} >= {3, 6, 7}
    if loss == "mse":
        assert late.calls == [(seen, epoch) for epoch, seen in enumerate([3, 3, 3, 6, 6, 6, 7], 1)]
        assert chunks.count == 3


def test_a_late_callback_beside_one_of_every_epoch(engine):
    late, seen = Late(3), []
    fit(make(), 4, callbacks=[late, EachEpoch(lambda trainer: seen.append(trainer.epoch))])
    assert late.calls == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert seen == [1, 2, 3, 4]


def test_the_training_loss_is_looked_at_when_it_may_stop(engine):
    """`tol` stops after the same epoch as when the loss is looked at after each."""
    options = {"tol": 0.02, "n_iter_no_change": 3}
    alone, trainer, chunks = make(), make(), Chunks()
    fit(alone, 200, **options, callbacks=[EachEpoch(lambda trainer: None)])
    fit(trainer, 200, **options, callbacks=[chunks])
    assert trainer.epoch == alone.epoch < 200
    assert trainer.stop_reason == alone.stop_reason
    assert trainer.model.theta.tobytes() == alone.model.theta.tobytes()
    assert chunks.count < trainer.epoch


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_chunk_end"])
def test_a_hook_of_one_callback_alone(hook):
    callback, calls = gd.Callback(), []
    setattr(callback, hook, lambda *arguments: calls.append(arguments[0].epoch))
    fit(make(), 3, callbacks=[callback])
    assert calls[-1] == 3
    if hook == "on_epoch_end":
        assert calls == [1, 2, 3]
