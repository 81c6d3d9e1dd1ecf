"""A trainer's settings: checked where they enter, when they are assigned later, and from files and the command line."""

import numpy as np
import pytest
from training import fit, make, problem

import fastgd as gd
from fastgd import backend, cli
from fastgd.training import exclusive

BAD = [
    ("batch_size", 0, ValueError),
    ("batch_size", -1, ValueError),
    ("batch_size", True, TypeError),
    ("batch_size", 2.0, TypeError),
    ("batch_size", 10**400, ValueError),
    ("accumulate", 0, ValueError),
    ("accumulate", None, TypeError),
    ("shuffle", "no", TypeError),
    ("shuffle", 1, TypeError),
    ("seed", -1, ValueError),
    ("seed", 2**64, ValueError),
    ("seed", True, TypeError),
    ("n_threads", 0, ValueError),
    ("n_threads", 2**31, ValueError),
    ("n_threads", 10**400, ValueError),
    ("n_threads", True, TypeError),
    ("n_threads", 1.5, TypeError),
    ("grad_norm", "yes", TypeError),
    ("metrics", "accuracy", TypeError),
    ("metrics", ["acuracy"], ValueError),
    ("loss", "msee", ValueError),
    ("loss", None, TypeError),
    ("optimizer", "adma", ValueError),
    ("optimizer", gd.SGD, TypeError),
    ("model", "mlp", TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD, ids=lambda value: str(value)[:20])
def test_bad_settings_are_refused_now_and_later(name, value, error):
    options = {"model": gd.MLP(4, 3), "loss": "mse"} | {name: value}
    with pytest.raises(error, match=name if name != "metrics" else "metric"):
        gd.Trainer(**options)
    trainer = make()
    before = getattr(trainer, name)
    with pytest.raises(error, match=name if name != "metrics" else "metric"):
        setattr(trainer, name, value)
    assert getattr(trainer, name) is before


def test_settings_must_fit_each_other_later_too():
    with pytest.raises(ValueError, match="accumulate=2 needs a batch_size"):
        make(batch_size=None, accumulate=2)
    trainer = make(batch_size=None)
    with pytest.raises(ValueError, match="accumulate=2 needs a batch_size"):
        trainer.accumulate = 2
    trainer.batch_size, trainer.accumulate = 8, 2
    with pytest.raises(ValueError, match="accumulate=2 needs a batch_size"):
        trainer.batch_size = None


def test_names_are_resolved_when_they_are_assigned(engine):
    trainer, other = make("mse"), make("huber", gd.Adam())
    trainer.loss, trainer.optimizer, trainer.metrics = "huber", "adam", ["rmse"]
    assert isinstance(trainer.loss, gd.losses.Huber)
    assert isinstance(trainer.optimizer, gd.Adam)
    assert [metric.name for metric in trainer.metrics] == ["rmse"]
    fit(trainer, validation=0.2)
    fit(other, validation=0.2)
    np.testing.assert_array_equal(trainer.model.theta, other.model.theta)


def test_a_seed_of_none_is_the_models():
    trainer = make(seed=5)
    trainer.seed = None
    assert trainer.seed == trainer.model.seed == 0


@pytest.mark.parametrize("n_threads", [1000, 100_000, 2**31 - 1])
def test_n_threads_is_at_most_the_number_there_is(engine, n_threads, tmp_path):
    trainer = make(n_threads=n_threads, batch_size=None)
    trainer.save(tmp_path / "run.npz")
    loaded = gd.Trainer.load(tmp_path / "run.npz")
    assert trainer.n_threads == loaded.n_threads == n_threads
    for each in (trainer, loaded):
        fit(each, validation=0.2)
        each.evaluate(*problem()[:2])
    assert backend.usable_threads(n_threads) == backend.usable_threads(n_threads + 1)
    np.testing.assert_array_equal(trainer.model.theta, loaded.model.theta)


@pytest.mark.parametrize("value", [0, -3, True, 1.5, "2", 2**31, 10**40])
def test_bad_settings_in_files_are_refused(value, tmp_path, monkeypatch):
    trainer = make()
    path = tmp_path / "run.npz"
    settings = trainer._settings
    object.__setattr__(settings, "n_threads", value)  # as a damaged file has it
    trainer.save(path)
    with pytest.raises(ValueError, match="run.npz"):
        gd.Trainer.load(path)


@pytest.mark.parametrize("threads", ["0", "2147483648", "1.5", "many"])
def test_bad_threads_of_the_command_line_are_one_line(threads, tmp_path, capsys):
    try:
        status = cli.main(["train", "--threads", threads, "--epochs", "1", "--out", str(tmp_path), "--quiet"])
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "threads" in message


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("epochs", 0, ValueError),
        ("epochs", 2**40, ValueError),
        ("epochs", 1.5, TypeError),
        ("epochs", True, TypeError),
        ("verbose", "yes", TypeError),
        ("verbose", -1, ValueError),
        ("verbose", None, TypeError),
        ("tol", "small", TypeError),
        ("tol", -1.0, ValueError),
    ],
)
def test_bad_arguments_of_fit_are_refused(name, value, error):
    X, y, _ = problem()
    trainer = make()
    theta = trainer.model.theta.copy()
    with pytest.raises(error, match=name):
        trainer.fit(X, y, **({"epochs": 1, "verbose": 0} | {name: value}))
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert (trainer.step, trainer.stop_reason) == (0, None)
    assert not exclusive._training
