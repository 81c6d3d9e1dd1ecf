"""`precision`: where it can be asked for, what it changes, and that files, copies and errors know it."""

import copy
import io
import pickle

import numpy as np
import pytest

import fastgd as gd
from fastgd import backend

X, Y = np.random.default_rng(0).normal(size=(90, 7)).astype("f4"), np.random.default_rng(1).integers(3, size=90)


def model(**settings):
    return gd.MLP(7, 40, 3, seed=0, **settings)


def trainer(**settings):
    return gd.Trainer(model(), **({"loss": "cross_entropy", "precision": "bf16"} | settings))


def fit(one, epochs=3, **options):
    return one.fit(X, Y, epochs=epochs, **({"verbose": 0} | options))


def test_training_differs_a_little_from_that_in_float32():
    one, other = trainer(), trainer(precision="f32")
    losses = [fit(each)["loss"][-1] for each in (one, other)]
    assert (one.model.theta != other.model.theta).any()
    np.testing.assert_allclose(one.model.theta, other.model.theta, atol=0.01)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert one.model.theta.dtype == np.float32


def test_predictions_are_in_float32_unless_asked_for():
    one = trainer()
    fit(one)
    f32, bf16 = (one.model.predict_proba(X, precision=name) for name in ("f32", "bf16"))
    np.testing.assert_array_equal(one.model.predict_proba(X), f32)
    assert 0 < abs(f32 - bf16).max() < 0.02
    assert (one.model.predict(X) == one.model.predict(X, precision="bf16")).mean() > 0.9
    out = np.empty((90, 3), "f4")
    assert gd.MLP(7, 3).predict(X, out, precision="bf16") is out


def test_validation_and_evaluate_are_in_the_precision_of_the_training():
    one = trainer()
    history = fit(one, validation=(X, Y))
    assert one.evaluate(X, Y)["loss"] == history["validation_loss"][-1]
    value, _ = one.loss.value_and_gradient(one.model.forward(X, precision="bf16"), Y)
    assert value == pytest.approx(history["validation_loss"][-1], rel=1e-5)
    one.precision = "f32"
    assert one.evaluate(X, Y)["loss"] != history["validation_loss"][-1]


def test_backward_is_in_the_precision_of_its_forward():
    one = model()
    gradients = {}
    for precision in ("f32", "bf16", "f32"):
        Z = one.forward(X, precision=precision)
        dX = one.backward(Z)
        gradients.setdefault(precision, (one.grad.copy(), dX))
        np.testing.assert_array_equal(one.grad, gradients[precision][0])
    for f32, bf16 in zip(*gradients.values(), strict=True):
        assert 0 < np.linalg.norm(f32 - bf16) < 0.02 * np.linalg.norm(f32)


def test_a_custom_loop_and_single_steps_are_those_of_fit():
    fitted, looped, stepped = (trainer(batch_size=30, shuffle=False, optimizer=gd.SGD(lr=0.1)) for _ in range(3))
    fit(fitted, epochs=1)
    loss = gd.losses.CrossEntropy()
    for start in range(0, 90, 30):
        rows = slice(start, start + 30)
        Z = looped.model.forward(X[rows], precision="bf16")
        looped.model.backward(loss.value_and_gradient(Z, Y[rows])[1])
        looped.optimizer.step(looped.model)
        stepped.train_on_batch(X[rows], Y[rows])
    np.testing.assert_array_equal(stepped.model.theta, looped.model.theta)
    np.testing.assert_allclose(fitted.model.theta, looped.model.theta, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": lambda Z, Y: (float(((Z - Y) ** 2).sum() / len(Z)), 2 * (Z - Y) / len(Z))},
        {"accumulate": 3, "batch_size": 10},
        {"standardize": True},
        {"optimizer": gd.Muon()},
        {"optimizer": gd.SGD(lr=0.1, average=gd.EMA(0.9), clip_norm=1.0)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_all_of_training_works(settings):
    one, other = trainer(**settings), trainer(**settings, precision="f32")
    for each in (one, other):
        each.optimizer = each.optimizer.copy()
        each.fit(X, np.eye(3)[Y] if "loss" in settings else Y, epochs=2, verbose=0)
    assert np.isfinite(one.model.theta).all()
    np.testing.assert_allclose(one.model.theta, other.model.theta, atol=0.02)


def test_a_run_is_resumed_to_the_same_bits():
    whole, stopped, file = trainer(), trainer(), io.BytesIO()
    fit(whole, epochs=4)
    stop = gd.callbacks.EveryEpoch(lambda trainer: trainer.stop("enough"), n=2)
    fit(stopped, epochs=4, callbacks=[stop])
    stopped.save(file)
    file.seek(0)
    resumed = gd.Trainer.load(file)
    assert resumed.precision == "bf16"
    fit(resumed, epochs=None)
    np.testing.assert_array_equal(resumed.model.theta, whole.model.theta)


def test_files_and_copies_keep_the_precision():
    one, file = trainer(), io.BytesIO()
    assert "precision='bf16'" in repr(one)
    assert "precision" not in repr(trainer(precision="f32"))
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert other.precision == "bf16"
    one.model.save(file)  # a model has none
    file.seek(0)
    assert not hasattr(gd.load(file), "precision")


def test_files_of_earlier_releases_are_in_f32(monkeypatch):
    file = io.BytesIO()
    monkeypatch.setattr("fastgd.training.checkpoint._NEW_SETTINGS", ("standardize", "train_metrics"))
    trainer(precision="f32").save(file)
    file.seek(0)
    assert gd.Trainer.load(file).precision == "f32"


def test_lr_finder_and_profile_take_it():
    rates = [gd.lr_finder(model(), X, Y, loss="cross_entropy", precision=name, steps=20) for name in ("f32", "bf16")]
    assert (rates[0].losses != rates[1].losses).any()
    if backend.choose().backend == "native":
        assert trainer(n_threads=1).profile(X, Y).phases


def test_the_plan_names_the_precision_and_what_would_be_faster(engine):
    plan = model().plan(32, precision="bf16")
    assert plan.precision == "bf16"
    assert plan.unit in ("AMX tiles", "VDPBF16PS", "FMA") if engine.backend == "native" else plan.unit == ""
    assert "precision  bf16" in str(plan)
    assert plan.f32_is_faster == ("likely to be faster" in str(plan))
    if engine.isa in (None, "scalar", "avx2"):
        assert plan.f32_is_faster
    assert plan.flops == model().plan(32).flops
    assert "precision" not in str(model().plan(32))


@pytest.mark.parametrize(("sizes", "batch", "is_faster"), [((4, 16, 2), 32, True), ((64, 512, 512, 10), 128, False)])
def test_the_plan_expects_large_networks_to_be_faster_with_tiles(sizes, batch, is_faster):
    plan = gd.MLP(*sizes, seed=0).plan(batch, precision="bf16")
    if plan.unit == "AMX tiles":
        assert plan.f32_is_faster == is_faster


def test_the_configuration_says_what_multiplies(engine, capsys):
    unit = gd.show_config()["bf16"]
    assert unit == (model().plan(32, precision="bf16").unit or "NumPy")
    assert f"bf16: {unit}" in capsys.readouterr().out


# ---- errors


def test_unknown_precisions_are_refused():
    with pytest.raises(
        ValueError, match=r"precision must be one of 'f32', 'bf16', not 'bfloat16': did you mean 'bf16'"
    ):
        trainer(precision="bfloat16")
    with pytest.raises(TypeError, match="precision must be one of 'f32', 'bf16', not 16"):
        model().predict(X, precision=16)
    with pytest.raises(TypeError, match="precision must be one of"):
        model().forward(X, precision=["bf16"])
    with pytest.raises(ValueError, match="precision must be one of"):
        model().plan(32, precision="f16")
    one = trainer()
    with pytest.raises(ValueError, match="precision must be one of"):
        one.precision = "fp32"
    assert one.precision == "bf16"


def test_a_float64_model_refuses_bf16():
    message = 'precision="bf16" needs a model of dtype float32, not float64: build it with dtype="float32"'
    double = model(dtype="float64")
    for call in (
        lambda: gd.Trainer(double, loss="mse", precision="bf16"),
        lambda: double.predict(X, precision="bf16"),
        lambda: double.forward(X, precision="bf16"),
        lambda: double.plan(32, precision="bf16"),
        lambda: gd.lr_finder(double, X, Y, loss="cross_entropy", precision="bf16"),
        lambda: setattr(gd.Trainer(double, loss="mse"), "precision", "bf16"),
        lambda: setattr(trainer(), "model", double),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_engines_refuse_what_does_not_fit(engine):
    theta = np.zeros(24, "f8")
    with pytest.raises(ValueError, match="float32"):
        engine.executor(gd.MLP(7, 3).layers, theta, theta.copy(), precision="bf16")
    theta = np.zeros(24, "f4")
    with pytest.raises(ValueError, match="precision"):
        engine.executor(gd.MLP(7, 3).layers, theta, theta.copy(), precision="f16")


def test_a_backward_without_a_forward_is_refused():
    with pytest.raises(RuntimeError, match="forward"):
        model().backward(np.zeros((9, 3), "f4"))


def test_names_of_other_libraries_lead_here():
    with pytest.raises(TypeError, match="precision"):
        gd.Trainer(model(), loss="mse", mixed_precision="bf16")
    with pytest.raises(TypeError, match="pass precision to the trainer"):
        model(precision="bf16")
    with pytest.raises(ValueError, match=r'not .bfloat16.: for products in bfloat16, pass precision="bf16" to the'):
        model(dtype="bfloat16")


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_estimators_of_scikit_learn_train_in_it(kind):
    estimators = pytest.importorskip("fastgd.sklearn", reason="needs scikit-learn", exc_type=ImportError)
    f32, bf16 = (
        getattr(estimators, kind)(hidden_layer_sizes=20, max_iter=30, random_state=0, precision=name, batch_size=30)
        for name in ("f32", "bf16")
    )
    bf16.partial_fit(X.astype("f8"), Y, **({"classes": [0, 1, 2]} if kind == "MLPClassifier" else {}))
    for estimator, rows in ((bf16, X.astype("f8")), (f32, X)):
        with pytest.warns(UserWarning, match="Maximum iterations"):
            estimator.fit(rows, Y)
    assert bf16.network_.dtype == np.float32
    assert (bf16.network_.theta != f32.network_.theta).any()
    assert bf16.loss_ == pytest.approx(f32.loss_, rel=0.05)
    with pytest.raises(ValueError, match="solver='lbfgs' needs exact gradients"):
        bf16.set_params(solver="lbfgs").fit(X, Y)
