"""What models predict together, intervals, greedy selection and successive halving."""

import numpy as np
import pytest
from populations import X, Y, member, members, same_training

import fastgd as gd
from fastgd.population.greedy import choose_greedily


@pytest.fixture(scope="module")
def population():
    population = gd.Population(members())
    population.fit(X[:160], Y[:160], 8, validation=(X[160:], Y[160:]), verbose=0)
    return population


def test_means_and_spread_of_classes(population):
    P = np.array([trainer.model.predict_proba(X) for trainer in population.trainers], np.float64)
    np.testing.assert_allclose(population.predict_proba(X), P.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(population.predict_std(X), P.std(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(population.predict_members(X), P)
    np.testing.assert_array_equal(population.predict(X), P.mean(axis=0).argmax(axis=1))
    assert population.ensemble().score(X, Y) == np.mean(population.predict(X) == Y)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_rows_are_predicted_in_blocks(population, monkeypatch, n_threads):
    whole = population.predict_proba(X)
    monkeypatch.setattr("fastgd.population.ensemble._MAX_VALUES", 1000)
    monkeypatch.setattr("fastgd.population.workers._FEW_FLOPS", 1.0)
    ensemble = population.ensemble()
    ensemble.n_threads = n_threads
    np.testing.assert_array_equal(ensemble.predict_proba(X), whole)


@pytest.mark.parametrize(
    ("loss", "n_out", "y"),
    [
        ("bce", 1, np.where(Y > 4, "high", "low")),
        ("bce", 2, np.stack([Y > 4, Y % 2], axis=1).astype(float)),
        ("hinge", 1, np.where(Y > 4, "high", "low")),
        ("mse", 1, Y.astype(float)),
        ("mse", 2, np.stack([Y, Y**2], axis=1).astype(float)),
        ("poisson", 1, Y.astype(float)),
    ],
)
def test_every_kind_of_target(loss, n_out, y):
    trainers = [
        gd.Trainer(gd.MLP(64, 8, n_out, seed=i), loss=loss, standardize="y" if loss == "mse" else False)
        for i in range(3)
    ]
    population = gd.Population(trainers)
    population.fit(X, y, 5, verbose=0)
    single = gd.Population(trainers[:1])
    np.testing.assert_array_equal(single.predict(X), trainers[0].model.predict(X))
    assert population.predict(X).shape == y.shape
    if loss in ("mse", "poisson"):
        P = np.array([trainer.model.predict(X) for trainer in trainers], np.float64)
        np.testing.assert_allclose(population.predict(X), P.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(population.predict_std(X), P.std(axis=0), rtol=1e-6, atol=1e-9)
        with pytest.raises(ValueError, match="predict_proba needs a classifier"):
            population.predict_proba(X)
    elif loss == "bce":
        P = np.mean([trainer.model.predict_proba(X) for trainer in trainers], axis=0, dtype=np.float64)
        np.testing.assert_allclose(population.predict_proba(X), P, rtol=1e-12)
    assert len(population.select(X, y, size=4)) >= 1


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1500, 1))
    y = np.sin(3 * x[:, 0]) + rng.normal(size=1500) * (0.05 + 0.3 * (x[:, 0] > 0))
    trainers = [gd.Trainer(gd.MLP(1, 16, 1, seed=i, activation="tanh"), loss="mse") for i in range(4)]
    population = gd.Population(trainers)
    population.fit(x[:300], y[:300], 30, verbose=0)
    return population.ensemble(), x[300:], y[300:]


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_intervals_cover_what_they_say(regression, coverage):
    """Each of 600 rows is covered with this probability; 4 standard deviations, of both halves."""
    ensemble, x, y = regression
    lower, upper = ensemble.calibrate(x[:600], y[:600]).predict_interval(x[600:], coverage)
    share = np.mean((lower <= y[600:]) & (y[600:] <= upper))
    assert abs(share - coverage) < 4 * np.sqrt(coverage * (1 - coverage) * 2 / 600)
    np.testing.assert_allclose((lower + upper) / 2, ensemble.predict(x[600:]), atol=1e-9)


def test_intervals_of_one_model_have_one_width(regression):
    ensemble, x, y = regression
    lower, upper = gd.Ensemble(ensemble.models[:1]).calibrate(x, y).predict_interval(x)
    np.testing.assert_allclose(upper - lower, (upper - lower)[0])


def test_intervals_need_calibration_on_enough_rows(regression, population):
    ensemble, x, y = regression
    with pytest.raises(ValueError, match="call calibrate"):
        gd.Ensemble(ensemble.models).predict_interval(x)
    with pytest.raises(ValueError, match=r"coverage=0\.9 needs calibration on at least 9 rows, not 8"):
        gd.Ensemble(ensemble.models).calibrate(x[:8], y[:8]).predict_interval(x)
    gd.Ensemble(ensemble.models).calibrate(x[:9], y[:9]).predict_interval(x)
    with pytest.raises(ValueError, match="calibrate needs a regression"):
        population.ensemble().calibrate(X, Y)
    with pytest.raises(ValueError, match="y must have the shape of the predictions"):
        ensemble.calibrate(x, y[:3])


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_files_of_ensembles(regression, tmp_path, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    ensemble, x, y = regression
    ensemble = gd.Ensemble(ensemble.models, [1, 0, 2, 5]).calibrate(x, y)
    ensemble.save(tmp_path / f"ensemble.{suffix}")
    loaded = gd.Ensemble.load(tmp_path / f"ensemble.{suffix}")
    for one, other in zip(ensemble.predict_interval(x), loaded.predict_interval(x), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="not a fastgd model file"):
        gd.Population.load(tmp_path / f"ensemble.{suffix}")


def test_weights(population):
    models = population.ensemble().models
    P = np.array([model.predict_proba(X) for model in models], np.float64)
    weighted = gd.Ensemble(models, [3, 0, 1, 0]).predict_proba(X)
    np.testing.assert_allclose(weighted, 0.75 * P[0] + 0.25 * P[2], rtol=1e-12)
    for weights, message in (([1, 2], "shape"), ([0] * 4, "> 0 for some"), ([1, 1, -1, 1], ">= 0")):
        with pytest.raises(ValueError, match=message):
            gd.Ensemble(models, weights)


def test_an_ensemble_is_a_copy(population):
    ensemble = population.ensemble()
    assert not any(
        np.shares_memory(a.theta, t.model.theta) for a, t in zip(ensemble.models, population.trainers, strict=True)
    )


def test_models_that_cannot_predict_together(population):
    model = population.trainers[0].model
    for other, message in (
        (gd.MLP(3, 10), "64 and 3 columns"),
        (gd.MLP(64, 10), "their outputs are softmax and numbers"),
        (3, "model 1 of an Ensemble must be a Sequential"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            gd.Ensemble([model, other])


def test_greedy_choice_by_hand():
    """Of 1, 4 and 9, the mean closest to 2: 1; then (1 + 4) / 2; then (1 + 1 + 4) / 3 = 2, which is exact."""
    values = np.array([1.0, 4.0, 9.0]).reshape(3, 1, 1)
    found = choose_greedily(values, 10, lambda means: np.abs(means - 2.0)[:, 0, 0])
    assert found.tolist() == [2, 1, 0]


def test_selection_is_as_good_as_the_best_member(population):
    held, labels = X[160:], Y[160:]
    P = [trainer.model.predict_proba(held).astype(float) for trainer in population.trainers]
    losses = [-np.log(p[np.arange(80), labels]).mean() for p in P]
    ensemble = population.select(held, labels, size=16)
    assert -np.log(ensemble.predict_proba(held)[np.arange(80), labels]).mean() <= min(losses) + 1e-9
    assert set(np.round(ensemble.weights * 48) % 1) == {0.0} or ensemble.weights.sum() == pytest.approx(1)
    by_metric = population.select(held, labels, size=16, metric="accuracy")
    assert by_metric.score(held, labels) >= max(t.evaluate(held, labels)["accuracy"] for t in population.trainers)
    with pytest.raises(ValueError, match="same number of rows"):
        population.select(held, labels[:3])


def test_selection_while_training_goes_on():
    population, ensemble, losses = gd.Population(members()), None, []
    held, labels = X[160:], Y[160:]
    for _ in population.rounds(X, Y, 12, every=3, rows=np.arange(160), verbose=0):
        ensemble = population.select(held, labels, size=8, candidates=ensemble)
        losses.append(-np.log(ensemble.predict_proba(held)[np.arange(80), labels]).mean())
    assert losses[-1] < losses[0]
    assert population.trainers[0].epoch == 12


def test_halving_keeps_the_best_with_their_bits():
    rates = np.geomspace(1e-4, 1, 9)
    trainers = [member(0, optimizer=gd.SGD(lr=rate)) for rate in rates]
    population = gd.Population(trainers)
    histories = population.fit_halving(X, Y, 9, validation=0.2, verbose=0)
    full = [member(0, optimizer=gd.SGD(lr=rate)) for rate in rates]
    for trainer in full:
        trainer.fit(X, Y, 9, validation=0.2, verbose=0)
    after = {e: [trainer.history["validation_loss"][e - 1] for trainer in full] for e in (1, 3)}
    first = sorted(np.argsort(after[1])[:3])
    last = min(first, key=lambda i: after[3][i])
    assert [len(history["epoch"]) for history in histories] == [
        9 if i == last else 3 if i in first else 1 for i in range(9)
    ]
    assert population.trainers == [trainers[last]]
    assert same_training(trainers[last], full[last])


def test_halving_removes_members_that_diverge_first():
    population = gd.Population([member(i, optimizer=gd.SGD(lr=lr)) for i, lr in enumerate((1e30, 1e-9, 0.1))])
    with pytest.warns(RuntimeWarning, match="member 0"):
        population.fit_halving(X, Y, 4, factor=1.5, min_epochs=2, monitor="loss", verbose=0)
    assert population.trainers[-1].optimizer.lr == 0.1
    with pytest.raises(ValueError, match="monitors 'validation_auc'"):
        gd.Population(members(2)).fit_halving(X, Y, 4, monitor="validation_auc", verbose=0)


def test_best():
    population = gd.Population(members())
    population.fit(X, Y, 2, validation=0.2, verbose=0)
    finals = [trainer.history["validation_accuracy"][-1] for trainer in population.trainers]
    assert population.best("validation_accuracy") is population.trainers[int(np.argmax(finals))]
