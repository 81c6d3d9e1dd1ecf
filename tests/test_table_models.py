"""Models of tables: what they learn, ensembles, quantiles, weights, files, and the parametrisation of the recipe."""

import io
import math
from pathlib import Path

import numpy as np
import pytest

import fastgd as gd
from fastgd.layers import Dense, Embedding
from fastgd.losses import MSE
from fastgd.models import Sequential
from fastgd.optimizers import Adam
from fastgd.tables import TableEncoder, TableModel
from fastgd.tables.recipe import Recipe

N = 400
RNG = np.random.default_rng(0)
TABLE = {
    "x": RNG.normal(size=N),
    "size": [None if i % 9 == 0 else float(v) for i, v in enumerate(RNG.gamma(2, 10, N))],
    "colour": RNG.choice(["red", "green", "blue"], N).tolist(),
}
_EFFECT = np.array([{"red": 2.0, "green": 0.0, "blue": -1.0}[colour] for colour in TABLE["colour"]])
NUMBERS = 50 + 10 * (TABLE["x"] + _EFFECT) + RNG.normal(size=N)
LABELS = np.where(TABLE["x"] + _EFFECT > 0.5, "high", np.where(TABLE["x"] + _EFFECT < -1, "low", "middle"))
SMALL = {"hidden": (32, 32), "epochs": 40, "batch_size": 32}


def rows(index):
    return {name: np.array(column, object if name != "x" else None)[index].tolist() for name, column in TABLE.items()}


@pytest.fixture(scope="module")
def classifier():
    return TableModel("classification", **SMALL).fit(rows(slice(0, 300)), LABELS[:300], verbose=0)


@pytest.fixture(scope="module")
def regressor():
    return TableModel("regression", **SMALL).fit(rows(slice(0, 300)), NUMBERS[:300], verbose=0)


def test_classification(classifier):
    test = rows(slice(300, N))
    P = classifier.predict_proba(test)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    assert classifier.classes.tolist() == ["high", "low", "middle"]
    np.testing.assert_array_equal(classifier.predict(test), classifier.classes[P.argmax(axis=1)])
    assert np.mean(classifier.predict(test) == LABELS[300:]) > 0.85
    assert "validation_accuracy" in classifier.histories[0]


def test_regression(regressor):
    test = rows(slice(300, N))
    predicted = regressor.predict(test)
    assert predicted.shape == (100,)
    assert gd.metrics.r2(NUMBERS[300:], predicted) > 0.95
    far = regressor.predict({"x": [1e6, -1e6], "size": [1, 1], "colour": ["red", "blue"]})
    assert NUMBERS[:300].min() <= far.min() <= far.max() <= NUMBERS[:300].max()


@pytest.mark.parametrize("library", ["numpy", "pandas", "polars"])
def test_several_targets(library):
    Y = np.column_stack([NUMBERS, -2 * NUMBERS])
    frame_of = np.asarray if library == "numpy" else pytest.importorskip(library).DataFrame
    model = TableModel("regression", **SMALL).fit(TABLE, frame_of(Y), verbose=0)
    predicted = model.predict(TABLE)
    assert predicted.shape == (N, 2)
    assert gd.metrics.r2(Y, predicted) > 0.95


@pytest.mark.parametrize("targets", [1, 2])
def test_quantiles(targets):
    Y = NUMBERS if targets == 1 else np.column_stack([NUMBERS, -NUMBERS])
    model = TableModel("regression", quantiles=(0.9, 0.1), n_ensemble=2, **SMALL).fit(TABLE, Y, verbose=0)
    high, low = np.moveaxis(model.predict_quantiles(TABLE), -1, 0)
    assert high.shape == Y.shape
    assert (low <= model.predict(TABLE)).all()
    assert (model.predict(TABLE) <= high).all()
    assert 0.6 < np.mean((low <= Y) & (Y <= high)) <= 1


def test_an_ensemble_is_the_mean_of_its_members(classifier):
    model = TableModel("classification", n_ensemble=3, **SMALL).fit(TABLE, LABELS, verbose=0)
    X = model.encoder.transform(TABLE)
    assert len({member.theta.tobytes() for member in model.members}) == 3
    mean = np.mean([member.predict_proba(X) for member in model.members], axis=0)
    np.testing.assert_allclose(model.predict_proba(TABLE), mean, rtol=1e-6)


def test_the_same_seed_gives_the_same_bits():
    one, other = (TableModel("regression", seed=5, n_threads=n, **SMALL).fit(TABLE, NUMBERS, verbose=0) for n in (1, 2))
    np.testing.assert_array_equal(one.members[0].theta, other.members[0].theta)


def test_rows_that_choose_the_epoch():
    """The last of the epochs that are best on eval_set is kept."""
    train, held_out = slice(0, 300), slice(300, N)
    model = TableModel("classification", **SMALL)
    model.fit(rows(train), LABELS[train], eval_set=(rows(held_out), LABELS[held_out]), verbose=0)
    scores = np.array(model.histories[0]["validation_accuracy"])
    assert np.mean(model.predict(rows(held_out)) == LABELS[held_out]) == pytest.approx(scores.max())
    last = TableModel("classification", validation=None, **SMALL).fit(TABLE, LABELS, verbose=0)
    assert "validation_accuracy" not in last.histories[0]


def test_patience_and_metric():
    model = TableModel("regression", metric="mae", patience=2, **SMALL | {"epochs": 200}).fit(TABLE, NUMBERS, verbose=0)
    errors = np.array(model.histories[0]["validation_mae"])
    assert len(errors) < 200
    assert errors[-3] == errors.min()


def test_weights():
    """Rows of weight 0 are not learned from; class weights count."""
    weight = (LABELS != "low").astype(float)
    model = TableModel("classification", validation=None, **SMALL).fit(TABLE, LABELS, weight, verbose=0)
    assert "low" not in model.predict(TABLE)
    heavy = TableModel("classification", class_weight={"low": 50.0}, **SMALL).fit(TABLE, LABELS, verbose=0)
    assert np.mean(heavy.predict(TABLE) == "low") > np.mean(LABELS == "low")


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("settings", [{"n_ensemble": 2}, {"quantiles": 0.9}])
def test_files(tmp_path, suffix, settings):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    model = TableModel("regression", **SMALL, **settings).fit(TABLE, NUMBERS, verbose=0)
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    copy = TableModel.load(path)
    np.testing.assert_array_equal(copy.predict(TABLE), model.predict(TABLE))
    assert copy.encoder.to_config() == model.encoder.to_config()


def test_files_of_classes(classifier):
    file = io.BytesIO()
    classifier.save(file)
    file.seek(0)
    copy = TableModel.load(file)
    np.testing.assert_array_equal(copy.predict_proba(TABLE), classifier.predict_proba(TABLE))
    np.testing.assert_array_equal(copy.classes, classifier.classes)


def test_damaged_files(classifier, tmp_path):
    gd.MLP(2, 2, seed=0).save(tmp_path / "network.npz")
    with pytest.raises(ValueError, match="not 'fastgd table model 1'"):
        TableModel.load(tmp_path / "network.npz")
    classifier.save(tmp_path / "model.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "model.npz").read_bytes()[:-3000])
    with pytest.raises(ValueError, match="damaged"):
        TableModel.load(tmp_path / "cut.npz")


def test_one_class():
    model = TableModel("classification", **SMALL).fit({"x": [1.0, 2, 3, 4, 5, 6]}, ["a"] * 6, verbose=0)
    assert model.predict({"x": [0, 9]}).tolist() == ["a", "a"]
    np.testing.assert_allclose(model.predict_proba({"x": [0]}), [[1.0]])


def test_other_losses():
    counts = np.random.default_rng(1).poisson(np.exp(0.5 + TABLE["x"] / 2))
    model = TableModel("regression", loss="poisson", **SMALL).fit(TABLE, counts, verbose=0)
    assert (model.predict(TABLE) >= 0).all()
    focal = TableModel("classification", loss="focal", **SMALL).fit(TABLE, LABELS, verbose=0)
    assert np.mean(focal.predict(TABLE) == LABELS) > 0.8


ERRORS = {
    "task must be": lambda: TableModel("ranking"),
    "a classification has predict_proba": lambda: TableModel("classification", quantiles=0.5),
    "leave out loss or quantiles": lambda: TableModel("regression", quantiles=0.5, loss="mae"),
    "quantiles[0] must be": lambda: TableModel("regression", quantiles=1.0),
    "must be trained first": lambda: TableModel("regression").predict(TABLE),
    "a regression has no probabilities": lambda: TableModel("regression").predict_proba(TABLE),
    "quantiles must be chosen first": lambda: TableModel("regression").predict_quantiles(TABLE),
    "one label per row": lambda: TableModel("classification").fit(TABLE, np.zeros((N, 2))),
    'classes need a loss such as "cross_entropy"': lambda: TableModel("classification", loss="mse").fit(TABLE, LABELS),
    "eval_set must be (table, y)": lambda: TableModel("regression").fit(TABLE, NUMBERS, eval_set=TABLE),
    "y must have as many rows as the table": lambda: TableModel("regression").fit(TABLE, NUMBERS[:-1]),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message):
    with pytest.raises((ValueError, TypeError, RuntimeError)) as info:
        ERRORS[message]()
    assert message in str(info.value)


def test_a_refused_fit_changes_nothing(regressor):
    expected = regressor.predict(TABLE)
    with pytest.raises(ValueError, match="row 7"):
        regressor.fit(TABLE, np.where(np.arange(N) == 7, np.nan, NUMBERS), verbose=0)
    np.testing.assert_array_equal(regressor.predict(TABLE), expected)


def test_files_of_networks_without_input_layers_are_read():
    """A file of the first format of encoders, and the predictions of the release that wrote it."""
    table = {
        "size": [1.0, None, 4.0, 4.5, 200.0],
        "colour": ["red", "blue", "red", None, "green"],
        "sold": ["2024-01-05", "2024-02-29", None, "2024-07-01", "2023-12-31"],
    }
    model = TableModel.load(Path(__file__).parent / "helpers" / "table_model_1.npz")
    expected = [0.0, 0.9600144028663635, 2.0230495929718018, 3.0131731033325195, 3.733302116394043]
    np.testing.assert_allclose(model.predict(table), expected, rtol=1e-6)


def test_layers_of_the_network():
    """Codes become vectors, numbers get periodic features, and all features a factor; a linear model has neither."""
    table = {"x": RNG.normal(size=300), "code": [f"v{i % 40}" for i in range(300)], "y": RNG.normal(size=300)}
    encoder = TableEncoder(embed=True).fit(table)
    embedding, periodic, scale, dense, *_ = Recipe().network(encoder, 300, 1, False, seed=0).layers
    assert (embedding.cardinalities, periodic.columns, scale.n_in) == ({1: 40}, (0, 1), 2 + 8 + 2 * 3)
    assert dense.n_in == scale.n_out
    assert [type(layer) for layer in Recipe(hidden=()).network(encoder, 300, 1, False, 0).layers] == [Embedding, Dense]


def test_many_categories_are_learned_and_saved(tmp_path):
    """The effect of each of 50 categories, by vectors of their codes; a new category is a rare one."""
    names = [f"v{i}" for i in range(50)]
    effects = RNG.normal(size=50)
    codes = RNG.integers(0, 50, 2000)
    table, y = {"code": [names[code] for code in codes]}, effects[codes]
    model = TableModel("regression", hidden=32, max_one_hot=4, seed=0).fit(table, y, verbose=0)
    predicted = model.predict(table)
    assert np.mean((predicted - y) ** 2) < 0.1 * y.var()
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(TableModel.load(tmp_path / "model.npz").predict(table), predicted)
    assert np.isfinite(model.predict({"code": ["new", None]})).all()


def test_codes_are_not_taken_for_numbers_without_a_scale(capsys):
    """A warning would be an error here."""
    table = {"code": [f"c{i}" for i in np.repeat(np.arange(400), 3)]}
    TableModel("regression", hidden=4, epochs=1).fit(table, RNG.normal(size=1200), verbose=1)
    assert "epoch 1/1" in "".join(capsys.readouterr())


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_networks_that_train_at_the_same_time_have_the_bits_of_those_that_train_alone(task):
    y = LABELS if task == "classification" else NUMBERS
    together = TableModel(task, n_ensemble=3, seed=5, **SMALL).fit(TABLE, y, verbose=0)
    with_callback = TableModel(task, n_ensemble=3, seed=5, callbacks=[gd.Callback()], **SMALL).fit(TABLE, y, verbose=0)
    for i, (member, other) in enumerate(zip(together.members, with_callback.members, strict=True)):
        alone = TableModel(task, seed=5 + i, **SMALL).fit(TABLE, y, verbose=0).members[0]
        np.testing.assert_array_equal(member.theta, alone.theta)
        np.testing.assert_array_equal(other.theta, alone.theta)


@pytest.mark.parametrize(("rows", "dropout"), [(1000, 0.3), (8192, 0.15)])
def test_dropout_by_the_number_of_rows(rows, dropout):
    encoder = TableEncoder().fit(TABLE)
    noises = Recipe().network(encoder, rows, 1, False, seed=0).noises
    assert {noise.strength for noise in noises if noise} == {dropout}


@pytest.mark.parametrize(("rows", "epochs", "batch"), [(100, 32, 100), (10_000, 64, 256), (10**6, 16, 1024)])
def test_settings_by_the_number_of_rows(rows, epochs, batch):
    assert (Recipe().n_epochs(rows), Recipe().rows_of_batch(rows)) == (epochs, batch)
    assert (Recipe(epochs=7, batch_size=32).n_epochs(rows), Recipe(batch_size=32).rows_of_batch(rows)) == (7, 32)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_learning_rates_by_layer_are_the_tangent_parametrisation(decay):
    """Training of W with the recipe's factors is training of W' = W sqrt(n) with one learning rate for all weights."""
    X, y = RNG.normal(size=(64, 5)), RNG.normal(size=(64, 1))
    recipe = Recipe(hidden=(7, 6), lr=gd.schedules.Constant(0.01), weight_decay=decay)
    network = recipe.network(TableEncoder().fit(X), 64, 1, is_classification=False, seed=3)
    layers = (type(layer).from_config(layer.to_config()) for layer in network.layers)
    network = Sequential(*layers, seed=3, dtype="float64")
    optimizer = recipe.optimizer(network, is_classification=False)
    optimizer.eps = 1e-30  # the only part that depends on the scale of the gradient
    tangent = {}
    for name, values in network.parameters().items():
        layer = network.layers[int(name.split(".")[0])]
        tangent[name] = values * (math.sqrt(layer.n_in) if name.endswith("weight") else 1)
    moments = {name: (np.zeros_like(v), np.zeros_like(v)) for name, v in tangent.items()}
    loss = MSE()
    for step in range(1, 6):
        Z = network.forward(X)
        network.backward(loss.gradient(Z, y) / len(X))
        gradients = {name: values.copy() for name, values in network.gradients().items()}
        optimizer.step(network)
        for name, values in tangent.items():
            layer, kind = name.split(".")
            root = math.sqrt(network.layers[int(layer)].n_in) if kind == "weight" else 1
            settings = {"weight": (0.01, decay), "scale": (0.06, 0.0)}.get(kind, (0.001, 0.0))
            _adam(values, gradients[name] / root, moments[name], step, *settings)
            np.testing.assert_allclose(network.parameters()[name] * root, values, rtol=1e-9, atol=1e-12)
    assert isinstance(optimizer, Adam)


def _adam(values, gradient, moments, step, lr, decay):
    """A step of AdamW on W', in place."""
    m, v = moments
    m[:] = 0.9 * m + 0.1 * gradient
    v[:] = 0.95 * v + 0.05 * gradient**2
    values *= 1 - lr * decay
    with np.errstate(invalid="ignore"):
        values -= lr * np.nan_to_num((m / (1 - 0.9**step)) / np.sqrt(v / (1 - 0.95**step)))
