"""Training that fails or is refused: the message, and what is left unchanged."""

import pickle

import numpy as np
import pytest
from training import ROWS, fit, make, problem

import fastgd as gd
from fastgd.training import chunks


def diverging():
    """A trainer that overflows float32 after some steps."""
    X, y, _ = problem("mse")
    model = gd.MLP(4, 1, seed=0)
    return gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=30.0, momentum=0.5), batch_size=16), X, y


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(engine):
    trainer, X, y = diverging()
    trainer.optimizer.lr = 0.01
    trainer.fit(X, y, epochs=2, verbose=0)
    trainer.optimizer.lr = 30.0
    theta, state, step_before = trainer.model.theta.copy(), trainer.optimizer.state.copy(), trainer.step
    with pytest.raises(FloatingPointError) as raised:
        trainer.fit(X, y, epochs=50, verbose=0)
    message = str(raised.value)
    step = int(message.split("at step ")[1].split()[0])
    assert f"(epoch {(step - 1) // 4 + 1})" in message
    assert f"after step {trainer.step}." in message
    assert "lr (now 30)" in message
    assert "layer 0 (identity) grew out of bounds first, with inputs up to" in message
    assert 8 <= trainer.step < step
    assert trainer.optimizer.steps == trainer.step
    assert trainer.stop_reason == "error"
    assert np.isfinite(trainer.model.theta).all()
    assert np.isfinite(trainer.optimizer.state).all()
    if trainer.step == step_before:  # the first call of the engine failed
        np.testing.assert_array_equal(trainer.model.theta, theta)
        np.testing.assert_array_equal(trainer.optimizer.state, state)
    trainer.model.theta, trainer.optimizer.lr = theta, 0.01
    assert np.isfinite(trainer.fit(X, y, epochs=1, verbose=0)["loss"][-1])


def test_the_layer_that_blew_up_first_is_named(engine):
    """Outputs grow from the first layer to the last, gradients from the last to the first."""
    X, y, _ = problem("mse")
    model = gd.MLP(4, 8, 8, 8, 1, seed=0)
    model.parameters()["1.weight"][0] = 9e37
    with pytest.raises(
        FloatingPointError, match=r"layer 1 \(relu\) grew out of bounds first.*weights up to 9e\+37 and"
    ):
        gd.Trainer(model, loss="mse").fit(100 * X, y, epochs=1, verbose=0)
    model = gd.MLP(4, 8, 1, seed=0)
    model.parameters()["1.weight"][:] = 0  # so that layer 0 has no gradient
    optimizer = gd.SGD(lr=lambda epoch: 1e38)
    with pytest.raises(FloatingPointError, match=r"the update of layer 1 \(identity\) grew out of bounds first"):
        gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=None).fit(X, 1e3 * y, epochs=1, verbose=0)


@pytest.mark.parametrize("scale", [(0, 1e15), (3e5, 1e5), (1e6, 1)])
def test_targets_out_of_scale_are_named(engine, scale):
    """Not the layer whose update overflowed first, as the outputs had to follow y."""
    X = np.random.default_rng(0).standard_normal((100, 4))
    trainer = gd.Trainer(gd.MLP(4, 16, 1, seed=0), loss="mse", optimizer=gd.SGD(lr=0.1))
    with pytest.raises(
        FloatingPointError, match=r"y has values up to .*\. Lower lr .* or scale y: use Trainer\(standard"
    ):
        trainer.fit(X, scale[0] + scale[1] * X[:, 0], epochs=20, verbose=0)
    assert trainer.step == 0


def test_numbers_beyond_float32_are_named(engine):
    """They are finite in their own dtype, but not in that of the model."""
    X, y, _ = problem("mse")
    beyond = X.copy()
    beyond[7, 1] = 1e39
    trainer = make("mse", batch_size=None)
    theta = trainer.model.theta.copy()
    for arguments, words in (
        ((beyond, y), r"^X has 1e\+39 in row 7, column 1 .*which float32 cannot hold"),
        ((X, beyond[:, 1]), r"^y has 1e\+39 in row 7, column 0 .*which float32 cannot hold"),
        ((X, y, 1, (beyond, y)), r"^validation X has 1e\+39 in row 7"),
        ((X, y, 1, (X, beyond[:, 1])), r"^validation y has 1e\+39 in row 7"),
    ):
        with pytest.raises(ValueError, match=words):
            trainer.fit(*arguments, verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert trainer.step == 0


def test_a_last_update_that_is_not_finite_is_found(engine):
    """No later loss reveals it."""
    X, y, _ = problem("mse")
    trainer = make("mse", gd.SGD(lr=lambda epoch: 1e38 if epoch >= 0.75 else 0.01))
    theta = trainer.model.theta.copy()
    with pytest.raises(
        FloatingPointError, match=r"step 4 \(epoch 1\).*as it was after step 0\. Lower lr \(now 1e\+38\)"
    ):
        trainer.fit(1e3 * X, 1e3 * y, epochs=1, verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert trainer.history["epoch"] == []


def test_the_step_that_failed_is_named(engine, monkeypatch):
    """One step at a time, theta is as it was before that very step; longer chunks name the same step."""
    named = []
    for flops in (1, 1e9):
        monkeypatch.setattr(chunks, "_FIRST_FLOPS", flops)
        monkeypatch.setattr(chunks, "_SECONDS", 0)
        trainer, X, y = diverging()
        with pytest.raises(FloatingPointError, match="at step") as raised:
            trainer.fit(X, y, epochs=50, verbose=0)
        named.append(int(str(raised.value).split("at step ")[1].split()[0]))
    assert named[0] == named[1] > 1


BAD = [
    ({"X": np.zeros((ROWS, 5))}, ValueError, r"\(rows, 4\)"),
    ({"X": np.zeros(ROWS)}, ValueError, "reshape"),
    ({"X": np.zeros((0, 4)), "y": []}, ValueError, "empty"),
    ({"X": np.full((ROWS, 4), np.nan)}, ValueError, "row 0, column 0"),
    ({"X": np.full((ROWS, 4), "a")}, TypeError, "numbers"),
    ({"y": np.arange(ROWS - 1) % 3}, ValueError, "same number of rows, not 50 and 49"),
    ({"y": np.arange(ROWS)}, ValueError, "50 classes.*3 outputs|knows only 3 classes"),
    ({"y": [None] * ROWS}, ValueError, "row 0"),
    ({"epochs": 0}, ValueError, "epochs must be 1 or more"),
    ({"epochs": 1.5}, TypeError, "epochs must be an integer"),
    ({"validation": 0.0}, ValueError, r"\(0, 1\)"),
    ({"validation": 0.001}, ValueError, "no validation rows"),
    ({"validation": True}, TypeError, "fraction"),
    ({"validation": "20%"}, TypeError, "fraction"),
    ({"validation": (np.zeros((2, 5)), [0, 1])}, ValueError, "validation X"),
    ({"validation": (np.zeros((2, 4)), [0, 9])}, ValueError, "validation y"),
    ({"validation": (np.zeros((2, 4)), [0, 1, 2])}, ValueError, "validation X and validation y"),
    ({"validation": (np.full((2, 4), np.inf), [0, 1])}, ValueError, "validation X must be finite"),
    ({"sample_weight": np.ones(3)}, ValueError, "sample_weight"),
    ({"sample_weight": np.zeros(ROWS)}, ValueError, "zero for every row"),
    ({"sample_weight": -np.ones(ROWS)}, ValueError, ">= 0"),
    ({"callbacks": gd.EarlyStopping()}, TypeError, "callbacks must be a sequence"),
    ({"callbacks": [gd.EarlyStopping]}, TypeError, "a callback must be an instance of Callback"),
    ({"callbacks": [gd.EarlyStopping()]}, ValueError, "'validation_loss'.*records epoch, loss, lr.*validation=0.2"),
    ({"tol": -1}, ValueError, "tol"),
]


def everything(trainer):
    """Everything that a fit changes."""
    optimizer = trainer.optimizer
    return trainer.model, optimizer.state, optimizer.steps, trainer.step, trainer.epoch, dict(trainer.history)


@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_changes_nothing(change, error, message):
    X, y, _ = problem()
    new, trained = make(), make()
    fit(trained, 1)
    for trainer in (new, trained):
        before = pickle.dumps(everything(trainer))
        with pytest.raises(error, match=message):
            trainer.fit(**({"X": X, "y": y, "verbose": 0} | change))
        assert pickle.dumps(everything(trainer)) == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "mlp"}, TypeError, "model must be a Sequential"),
        ({"loss": "msee"}, ValueError, "mse"),
        ({"optimizer": "adma"}, ValueError, "adam"),
        ({"batch_size": 0}, ValueError, "batch_size must be 1 or more"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer"),
        ({"n_threads": 0}, ValueError, "n_threads must be 1 or more"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        gd.Trainer(**({"model": gd.MLP(4, 3), "loss": "mse"} | options))


def test_an_optimizer_belongs_to_one_model(engine):
    """Of another size, or of the same size: see also test_binding.py."""
    first = make()
    fit(first)
    for width in (8, 9):
        with pytest.raises(ValueError, match="this optimizer belongs to another model"):
            gd.Trainer(gd.MLP(4, width, 3), loss="cross_entropy", optimizer=first.optimizer)
