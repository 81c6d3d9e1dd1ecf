"""What a loss of the user's own may be, and what happens when it goes wrong."""

from functools import partial

import numpy as np
import pytest
from test_custom import X, Y, custom, mse, weighted_mse
from training import ROWS

import fastgd as gd
from fastgd import losses
from fastgd.callbacks import StepBudget
from fastgd.losses.custom import Custom

# ---- what a function may be


def test_functions_that_fit():
    class Callable:
        def __call__(self, Z, Y):
            return mse(Z, Y)

    def scaled(Z, Y, scale=2.0):
        return mse(Z, scale * Y)

    def with_weight(Z, Y, weight=None):
        return mse(Z, Y)

    def many(*arguments):
        return mse(*arguments)

    for f in (Callable(), scaled, partial(scaled, scale=3.0), many, lambda Z, Y: mse(Z, Y)):
        assert not Custom(f).takes_weight
    for f in (weighted_mse, with_weight, lambda Z, Y, sample_weight=None: mse(Z, Y), partial(weighted_mse)):
        assert Custom(f).takes_weight
    assert losses.get(mse) == losses.get(Custom(mse)) == Custom(mse)


@pytest.mark.parametrize("f", [lambda Z: 0, lambda Z, Y, w, more: 0, lambda *, Z, Y: 0, lambda: 0])
def test_functions_of_other_arguments(f):
    with pytest.raises(TypeError, match=r"called as f\(Z, Y\) or f\(Z, Y, weight\), but .* takes"):
        gd.Trainer(gd.MLP(4, 1), loss=f)


def test_classes_are_not_functions():
    with pytest.raises(TypeError, match="loss must be a name or an instance of Loss"):
        losses.get(dict)


def test_weights_need_a_function_that_takes_them():
    for arguments in ({"sample_weight": np.ones(ROWS)}, {"validation": (X, Y, np.ones(ROWS))}):
        with pytest.raises(
            ValueError, match="sample_weight needs a loss that takes weights: give your function a third"
        ):
            custom(mse).fit(X, Y, epochs=1, verbose=0, **arguments)


@pytest.mark.parametrize(("y", "error", "words"), [
    (["a"] * ROWS, TypeError, "y must hold numbers, .*encode them"),
    (Y[:-1], ValueError, "same number of rows, not 50 and 49"),
    (np.zeros((ROWS, 2, 2)), ValueError, "y must have shape"),
])  # fmt: skip
def test_targets_that_no_function_gets(y, error, words):
    with pytest.raises(error, match=words):
        custom(mse).fit(X, y, epochs=1, verbose=0)


# ---- what may go wrong in it


class Faulty:
    """Right for some batches, then something else."""

    def __init__(self, right, answer):
        self.right, self.answer = right, answer

    def __call__(self, Z, Y):
        self.right -= 1
        return mse(Z, Y) if self.right >= 0 else self.answer(Z, Y)


def fail(Z, Y):
    raise ZeroDivisionError("mine")


ANSWERS = {
    "an error": (fail, ZeroDivisionError, "^mine$"),
    "nothing": (lambda Z, Y: None, TypeError, r"must return \(loss, dZ\), not NoneType"),
    "three": (lambda Z, Y: (1, Z, Z), TypeError, r"must return \(loss, dZ\), not tuple"),
    "losses of rows": (lambda Z, Y: (Z[:, 0], Z), ValueError, r"one number, the mean .* not shape \(16,\): take .mean"),
    "a word": (lambda Z, Y: ("1", Z), TypeError, "must return a real number, not '1'"),
    "a flat dZ": (lambda Z, Y: (1.0, Z[:, 0]), ValueError, r"shape of Z, \(B, n_out\) = \(16, 1\), not \(16,\)"),
    "a wide dZ": (lambda Z, Y: (1.0, Z - Y), ValueError, r"= \(16, 1\), not \(16, 16\)"),
    "complex": (lambda Z, Y: (1.0, Z * 1j), TypeError, "must hold real numbers, not dtype complex128"),
    "objects": (lambda Z, Y: (1.0, Z.astype(object)), TypeError, "must hold real numbers, not dtype object"),
    "NaN in dZ": (lambda Z, Y: (1.0, Z * np.nan), ValueError, "must be finite, but has nan in row 0 of the batch, col"),
    "inf in dZ": (lambda Z, Y: (1.0, Z + np.inf), ValueError, "must be finite, but has inf in row 0"),
}


@pytest.mark.parametrize("right", [0, 2, 4, 9])
@pytest.mark.parametrize("case", ANSWERS)
def test_theta_is_that_of_the_last_full_step(engine, case, right):
    """And the run can go on from there: at the end it is as if nothing had happened."""
    answer, error, words = ANSWERS[case]
    faulty, whole, short = Faulty(right, answer), custom(mse), custom(mse)
    trainer = custom(faulty)
    with pytest.raises(error, match=words):
        trainer.fit(X, Y, epochs=4, verbose=0)
    assert (trainer.step, trainer.optimizer.steps, trainer.epoch) == (right, right, right // 4)
    assert len(trainer.history.get("loss", [])) == right // 4
    assert trainer.stop_reason == "error"
    if right:
        short.fit(X, Y, epochs=4, callbacks=[StepBudget(right)], verbose=0)
        np.testing.assert_array_equal(trainer.model.theta, short.model.theta)
    faulty.right = 100
    trainer.fit(X, Y, epochs=None, verbose=0)
    whole.fit(X, Y, epochs=4, verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, whole.model.theta)
    assert trainer.history["loss"] == whole.history["loss"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite(engine, value):
    trainer = custom(Faulty(6, lambda Z, Y: (value, Z)))
    with pytest.raises(FloatingPointError, match=r"not finite at step 7 \(epoch 2\)"):
        trainer.fit(X, Y, epochs=4, verbose=0)
    assert np.isfinite(trainer.model.theta).all()


@pytest.mark.parametrize("lr", [1e200, 1e308])
def test_a_theta_that_bursts_is_not_shown(engine, lr):
    def sane(Z, Y):
        assert np.isfinite(Z).all()
        with np.errstate(over="ignore"):
            return mse(Z, Y)

    trainer = custom(sane, gd.SGD(lr=lr))
    with pytest.raises(FloatingPointError, match="not finite at step"):
        trainer.fit(X, Y, epochs=4, verbose=0)
    assert np.isfinite(trainer.model.theta).all()


def test_an_error_in_validation_reaches_the_user(engine):
    def picky(Z, Y):
        if len(Z) > 16:
            raise RuntimeError("too many rows")
        return mse(Z, Y)

    with pytest.raises(RuntimeError, match="too many rows"):
        custom(picky).fit(X, Y, epochs=1, validation=(X, Y), verbose=0)
