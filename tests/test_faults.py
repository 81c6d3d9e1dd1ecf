"""Whatever ends a training, at whatever moment: theta matches the counters, and a resumed run ends in the same bits."""

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
from test_resume import check_same
from training import EachEpoch, fit, make, problem

import fastgd as gd
from fastgd.callbacks import CSVLogger, EveryStep, History, ReduceLROnPlateau, StepBudget
from fastgd.losses.custom import Custom
from fastgd.training import ahead, chunks, fit_data, interrupt, loop, savepoint, steps
from fastgd.training.evaluation import Evaluator

EPOCHS = 6

# Python functions that the loop calls, each by the object that has it.
PLACES = [
    (loop, "train_chunk"),
    (fit_data, "plan_epochs"),
    (steps, "step_coefficients"),
    (loop._Loop, "_bind"),
    (ahead, "make_chunk"),
    (ahead.StepsAhead, "take"),
    (loop._Loop, "_count"),
    (loop._Loop, "_measure"),
    (loop._Loop, "_measure_epoch"),
    (loop._Loop, "_train_and_measure"),
    (loop._Loop, "_record_epochs"),
    (loop._Loop, "_train_chunk"),
    (savepoint.Counters, "__init__"),
    (savepoint.Arrays, "watch"),
    (savepoint.Arrays, "save"),
    (chunks.ChunkSizer, "update"),
    (chunks.EpochBlock, "order_of"),
    (chunks.EpochBlock, "partial_epoch"),
    (chunks.EpochBlock, "epoch_losses"),
    (chunks.EpochBlock, "epoch_rates"),
    (Evaluator, "measure"),
    (History, "extend"),
    (EachEpoch, "on_epoch_end"),
    (EveryStep, "on_chunk_end"),
]


class Fault:
    """Stands for a function, and raises an exception before or after its k-th call."""

    def __init__(self, home, name, k, error, after):
        self.home, self.name, self.function = home, name, vars(home)[name]
        self.left, self.error, self.after = k, error, after

    def __enter__(self):
        fault = self

        def replacement(*args, **options):
            fault.left -= 1
            if fault.left == 0 and not fault.after:
                raise fault.error("injected")
            result = fault.function(*args, **options)
            if fault.left == 0:
                raise fault.error("injected")
            return result

        setattr(self.home, self.name, replacement)
        return self

    def __exit__(self, *_):
        setattr(self.home, self.name, self.function)


def watchers():
    return [gd.EarlyStopping(patience=4), EachEpoch(lambda trainer: None), ReduceLROnPlateau(patience=2, factor=0.5)]


def run(trainer, epochs, validation, steps=None):
    every_few = [EveryStep(lambda trainer: None, steps)] if steps else []
    if validation is None:
        return fit(trainer, epochs, callbacks=every_few)
    if validation == "unwatched":  # chunks go past epochs and measure them on the way
        return fit(trainer, epochs, validation=0.3, callbacks=every_few)
    return fit(trainer, epochs, validation=validation, callbacks=[*watchers(), EveryStep(lambda trainer: None, 3)])


def new(loss="cross_entropy"):
    return make(loss, gd.Adam(lr=gd.Cosine(0.3), average=gd.EMA(0.9)), grad_norm=True)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize(("home", "name"), PLACES, ids=[name for _, name in PLACES])
@pytest.mark.parametrize("validation", [None, 0.3, "unwatched"])
def test_an_exception_anywhere_loses_nothing(validation, home, name, error, after):
    """In the k-th call of a function of the loop, for several k; without callbacks, chunks go past epochs."""
    whole = new()
    run(whole, EPOCHS, validation, steps=7)
    for k in (1, 2, 5):
        trainer = new()
        with Fault(home, name, k, error, after) as fault, contextlib.suppress(MemoryError, KeyboardInterrupt):
            run(trainer, EPOCHS, validation, steps=7)
        if fault.left > 0:
            continue  # there are not so many calls
        assert trainer.stop_reason in ("interrupted" if error is KeyboardInterrupt else "error", whole.stop_reason)
        assert trainer.optimizer.steps == trainer.step == trainer.epoch * 4 + partial_steps(trainer, validation)
        assert len(trainer.history["epoch"]) == trainer.epoch
        if trainer.epoch < trainer.last_epoch:
            run(trainer, None, validation, steps=7)
        check_same(trainer, whole)
        assert trainer.stop_reason == whole.stop_reason


def partial_steps(trainer, validation):
    if validation is not None:
        # 35 training rows are 3 steps an epoch
        return len(trainer.partial_epoch.losses if trainer.partial_epoch else ()) - trainer.epoch
    return len(trainer.partial_epoch.losses) if trainer.partial_epoch else 0


def squares(Z, Y):
    errors = Z - Y.reshape(Z.shape)
    return float(np.square(errors).mean()), 2 * errors / errors.size


@pytest.mark.parametrize("k", [1, 2, 7, 12, 21])
@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
def test_a_custom_loss_that_raises(engine, error, k):
    """The steps before it are done and counted."""
    X, y, _ = problem("mse")
    results = []
    for fault in (contextlib.nullcontext(), Fault(Custom, "batch", k, error, False)):
        trainer = gd.Trainer(gd.MLP(4, 8, 1, seed=0), loss=squares, batch_size=16)
        with fault, contextlib.suppress(ValueError, MemoryError, KeyboardInterrupt):
            trainer.fit(X, y, epochs=EPOCHS, verbose=0, callbacks=[EachEpoch(lambda trainer: None)])
        results.append(trainer)
    whole, trainer = results
    assert trainer.step == trainer.optimizer.steps == k - 1
    trainer.fit(X, y, epochs=None, verbose=0)
    check_same(trainer, whole)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class Pressed(gd.Callback):
    """Ctrl-C in a hook, when `epoch` epochs are done."""

    def __init__(self, hook, epoch, times=1):
        self.epoch, self.times, self.hook = epoch, times, hook

    def press(self, hook, trainer):
        if hook == self.hook and trainer.epoch == self.epoch:
            for _ in range(self.times):
                ctrl_c()

    def on_fit_begin(self, trainer):
        self.press("on_fit_begin", trainer)

    def on_epoch_end(self, trainer, logs):
        self.press("on_epoch_end", trainer)

    def on_chunk_end(self, trainer):
        self.press("on_chunk_end", trainer)

    def on_fit_end(self, trainer):
        self.press("on_fit_end", trainer)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("first", [True, False], ids=["before the others", "after the others"])
@pytest.mark.parametrize(
    ("hook", "epoch"), [("on_fit_begin", 0), ("on_epoch_end", 2), ("on_epoch_end", EPOCHS), ("on_chunk_end", 3)]
)
def test_ctrl_c_in_a_callback(hook, epoch, first, times, tmp_path):
    """Every callback has seen the same epochs when the training ends: a plateau, the best epoch, the rows of a log."""
    pandas = pytest.importorskip("pandas")
    handler = signal.getsignal(signal.SIGINT)

    def run(trainer, epochs, name, *pressed):
        others = [*watchers(), CSVLogger(tmp_path / name)]
        callbacks = [*pressed, *others] if first else [*others, *pressed]
        fit(trainer, epochs, validation=0.3, callbacks=callbacks)

    whole, trainer = new(), new()
    run(whole, EPOCHS, "whole.csv")
    try:
        run(trainer, EPOCHS, "parts.csv", Pressed(hook, epoch, times))
        assert trainer.stop_reason == "interrupted"
    except KeyboardInterrupt:
        assert (hook, times) == ("on_fit_begin", 2)  # nothing had begun
        assert (trainer.stop_reason, trainer.last_epoch) == (None, 0)
        run(trainer, EPOCHS, "parts.csv")
    assert signal.getsignal(signal.SIGINT) is handler
    if trainer.epoch < EPOCHS:
        run(trainer, None, "parts.csv")
    check_same(trainer, whole)
    logs = [pandas.read_csv(tmp_path / name).drop(columns="seconds") for name in ("whole.csv", "parts.csv")]
    pandas.testing.assert_frame_equal(*logs)


def test_ctrl_c_in_on_fit_end_has_nothing_left_to_end():
    trainer, seen = make(), []

    class Last(gd.Callback):
        def on_fit_end(self, trainer):
            seen.append(trainer.stop_reason)

    fit(trainer, 2, callbacks=[Last(), Pressed("on_fit_end", 2)])  # hooks at the end are called from the last back
    assert (trainer.epoch, trainer.stop_reason, seen) == (2, "interrupted", [None])
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, 2, callbacks=[Last(), Pressed("on_fit_end", 4, times=2)])
    assert (trainer.epoch, seen) == (4, [None, None])
    fit(trainer, 1)
    assert (trainer.epoch, trainer.stop_reason) == (5, None)


def test_a_second_ctrl_c_ends_what_takes_long():
    trainer, log = make(), []

    def endless(trainer):
        ctrl_c()
        log.append("first")
        ctrl_c()
        log.append("second")

    fit(trainer, 4, callbacks=[EachEpoch(endless), EachEpoch(lambda trainer: log.append("other"))])
    assert log == ["first", "other"]
    assert (trainer.epoch, trainer.stop_reason) == (1, "interrupted")


def test_a_handler_of_ones_own_is_called_between_chunks():
    caught, before = [], signal.getsignal(signal.SIGINT)
    trainer = make()
    signal.signal(signal.SIGINT, lambda number, frame: caught.append(trainer.step))
    try:
        fit(trainer, 2, callbacks=[Pressed("on_epoch_end", 1)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert (caught, trainer.epoch, trainer.stop_reason) == ([4], 2, None)


def test_ctrl_c_ends_a_training_within_a_training_and_the_outer_one():
    outer, inner = make(), make()

    def train_other(trainer):
        fit(inner, 5, callbacks=[Pressed("on_epoch_end", 2)])

    fit(outer, 5, callbacks=[EachEpoch(train_other)])
    assert (inner.epoch, inner.stop_reason) == (2, "interrupted")
    assert (outer.epoch, outer.stop_reason) == (1, "interrupted")


def test_in_other_threads_nothing_is_deferred():
    trainer = make()
    thread = threading.Thread(target=fit, args=(trainer,))
    thread.start()
    thread.join()
    assert (trainer.epoch, trainer.stop_reason) == (3, None)
    with interrupt.DeferredInterrupt() as deferred:
        deferred.deliver()


def test_what_the_callbacks_before_the_first_step_raise_changes_nothing():
    """A run that was stopped can still be resumed."""
    whole, trainer = new(), new()
    run(whole, EPOCHS, 0.3)
    fit(trainer, EPOCHS, validation=0.3, callbacks=[*watchers(), StepBudget(5)])
    before = dict(vars(trainer._state))
    theta = trainer.model.theta.copy()

    class Refuses(gd.Callback):
        def on_fit_begin(self, trainer):
            raise OSError("no such folder")

    class RefusesToResume(gd.EarlyStopping):
        def restore(self, trainer, state):
            raise OSError("no such file")

    for callback in (Refuses(), RefusesToResume(patience=4)):
        restored = RefusesToResume.__name__ == type(callback).__name__
        trainer._state.callback_states = [
            (type(callback).__name__ if restored and name == "EarlyStopping" else name, state)
            for name, state in before["callback_states"]
        ]
        with pytest.raises(OSError, match="no such"):
            fit(trainer, None, validation=0.3, callbacks=[*watchers()[1:], callback])
        trainer._state.callback_states = before["callback_states"]
        after = dict(vars(trainer._state))
        assert {name for name in before if after[name] is not before[name]} <= {"has_begun"}
        np.testing.assert_array_equal(trainer.model.theta, theta)
    run(trainer, None, 0.3)
    check_same(trainer, whole)


def test_a_callback_that_raises_keeps_no_other_from_its_epochs():
    whole, trainer, seen = new(), new(), []

    def fail(trainer):
        if trainer.epoch == 2:
            raise ValueError("bad luck")

    run(whole, EPOCHS, 0.3)
    with pytest.raises(ValueError, match="bad luck"):
        fit(trainer, EPOCHS, validation=0.3, callbacks=[EachEpoch(fail), *watchers(), EachEpoch(seen.append)])
    assert (trainer.epoch, len(seen), trainer.stop_reason) == (2, 2, "error")
    run(trainer, None, 0.3)
    check_same(trainer, whole)
