"""What a model does with layers before its first dense one: files, errors, and tools that walk the layers."""

import copy
import pickle

import numpy as np
import pytest
from input_stacks import CODES, ROWS, STACKS, data, model_of
from networks import REALS
from numpy.testing import assert_allclose, assert_array_equal

import fastgd as gd
from fastgd.layers.stack import split


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_files_copies_and_pickles(engine, stack, suffix, tmp_path):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    (X, y), model = data(), model_of(stack, "float32")
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.Adam(lr=0.01), standardize="X", batch_size=8)
    trainer.fit(X, y, epochs=1, verbose=0)
    model.save(tmp_path / f"model.{suffix}")
    trainer.save(tmp_path / f"run.{suffix}")
    loaded = gd.load(tmp_path / f"model.{suffix}")
    resumed = gd.Trainer.load(tmp_path / f"run.{suffix}")
    for other in (loaded, resumed.model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(other.layers) == repr(model.layers)
        assert other.inputs.codes == model.inputs.codes
        assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    trainer.fit(X, y, epochs=1, verbose=0)
    resumed.fit(X, y, epochs=1, verbose=0)
    assert_array_equal(resumed.model.theta, model.theta)


def test_files_of_other_models_keep_their_format():
    assert gd.MLP(2, 1).to_config()["format"] == "fastgd model 1"
    assert gd.Sequential(gd.Scale(2), gd.Dense(2, 1)).to_config()["format"] == "fastgd model 3"


@pytest.mark.parametrize("stack", STACKS)
def test_a_repr_makes_an_equal_layer(stack):
    for layer in STACKS[stack]():
        again = eval(repr(layer), vars(gd))
        assert again.to_config() == layer.to_config()
        assert type(layer).from_config(layer.to_config()).to_config() == layer.to_config()
        assert layer.size == sum(values.size for values in layer.initial_values(0, 0).values())


def test_names_and_summary():
    model = model_of("all")
    names = [name for name in model.parameters() if name.startswith(("0", "1", "2"))]
    periodic = ["1.frequency", "1.phase", "1.amplitude", "1.offset"]
    assert names == ["0.column2", "0.column5", *periodic, "2.scale"]
    assert [line.split()[:5] for line in model.summary().splitlines()[2:5]] == [
        ["0", "Embedding", "7", "->", "27"],
        ["1", "PeriodicEmbedding", "27", "->", "36"],
        ["2", "Scale", "36", "->", "36"],
    ]
    assert model.n_in == 7
    assert len(model.dense_layers) == 2
    assert split(model.stack) == (model.layers, model.noises)


def test_initial_values():
    first, second = gd.Embedding(2, {0: 4000, 1: 4000}, 2).initial_values(0, 0).values()
    assert abs(first.std() - 1) < 0.03
    assert abs(first.mean()) < 0.03
    assert not np.isin(first, second).any()
    uniform = gd.Embedding(2, {0: 9}, 4, init=gd.initializers.Uniform(-0.1, 0.1)).initial_values(0, 0)["column0"]
    assert abs(uniform).max() <= 0.1

    values = gd.PeriodicEmbedding(50, n_frequencies=64, dim=4, std=0.2).initial_values(3, 0)
    assert values["frequency"].std() == pytest.approx(0.2, rel=0.05)
    assert abs(values["phase"]).max() <= np.pi
    assert values["phase"].std() == pytest.approx(np.pi / 3**0.5, rel=0.05)
    for name in ("amplitude", "offset"):
        assert abs(values[name]).max() <= 1 / 8
        assert values[name].std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize(
    ("column", "code", "categories"), [(2, 5, "5"), (2, -1, "5"), (5, 1.5, "33"), (5, 33, "33"), (5, 1e9, "33")]
)
def test_a_code_out_of_range(engine, dtype, column, code, categories):
    X, y = data()
    model, theta = model_of("all", dtype), None
    theta, good = model.theta.copy(), X.copy()
    X[7, column] = code
    trainer = gd.Trainer(model, loss="cross_entropy", batch_size=8)
    where = f"in column {column}, which has {categories} categories, but has .* in row 7"
    for call in (
        lambda: model.predict(X),
        lambda: model.predict(X.astype(np.float32)),
        lambda: model.predict(X.tolist()),
        lambda: model.forward(X),
        lambda: trainer.fit(X, y, epochs=1),
        lambda: trainer.fit(good, y, epochs=1, validation=(X, y)),
        lambda: trainer.evaluate(X, y),
        lambda: trainer.train_on_batch(X, y, classes=[0, 1, 2]),
        lambda: gd.lr_finder(model, X, y, loss="cross_entropy", steps=5),
    ):
        with pytest.raises(ValueError, match=where):
            call()
    assert_array_equal(model.theta, theta)


def test_codes_that_an_augmentation_breaks(engine):
    X, y = data()
    model = model_of("all", "float32")
    trainer, theta = gd.Trainer(model, loss="cross_entropy", batch_size=8), model.theta.copy()

    def break_codes(X, rng):
        X[:, 2] = 99
        return X

    with pytest.raises(ValueError, match="a code of a category that an embedding does not have"):
        trainer.fit(X, y, epochs=1, augment=break_codes, verbose=0)
    assert_array_equal(model.theta, theta)


def test_columns_of_a_frame_are_named_in_the_error(engine):
    pd = pytest.importorskip("pandas")
    X, y = data()
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    model = model_of("embedding", "float32")
    gd.Trainer(model, loss="cross_entropy", batch_size=8).fit(frame, y, epochs=1, verbose=0)
    frame.loc[3, "f"] = 40
    with pytest.raises(ValueError, match="in column 'f', which has 33 categories, but has 40 in row 3"):
        model.predict(frame[list("gfedcba")])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16])
def test_codes_of_any_dtype(engine, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (20, 2)).astype(dtype)
    model = gd.Sequential(gd.Embedding(2, {0: 5, 1: 5}, 3), gd.Dense(6, 2), seed=0)
    assert_array_equal(model.predict(X), model.predict(X.astype(np.float64)))
    X[3, 1] = 5
    with pytest.raises(ValueError, match="has 5 in row 3"):
        model.predict(X)


def test_x_that_is_not_finite_is_reported_first(engine):
    X, _ = data()
    X[1, 2], X[9, 0] = 77, np.nan
    with pytest.raises(ValueError, match="X must be finite, but has nan in row 9"):
        model_of("all").predict(X)


def test_outputs_that_overflow(engine):
    X, _ = data()
    model = model_of("all", "float32")
    model.theta[-60:] = 3e38
    with pytest.raises(FloatingPointError, match="overflows float32"):
        model.predict(X)


def test_standardization_leaves_codes_alone(engine):
    X, y = data()
    X[:, [0, 1, 3, 4, 6]] *= 50
    model = model_of("all", "float32")
    gd.Trainer(model, loss="cross_entropy", batch_size=8, standardize="X").fit(X, y, epochs=1, verbose=0)
    scaling = model.inputs.scaling
    assert (scaling.mean[[2, 5]] == 0).all()
    assert (scaling.std[[2, 5]] == 1).all()
    assert (scaling.std[[0, 1]] > 30).all()
    assert model.predict(X).shape == (ROWS,)
    with pytest.raises(ValueError, match="scaling of X cannot become part of Embedding"):
        model.fold_standardization()


def test_targets_can_be_folded(engine):
    X, y = data()
    model = gd.Sequential(gd.Scale(7), gd.Dense(7, 4, "tanh"), gd.Dense(4, 1), seed=0)
    gd.Trainer(model, loss="mse", batch_size=8, standardize="y").fit(X, 100.0 + y, epochs=1, verbose=0)
    assert_allclose(model.fold_standardization().predict(X), model.predict(X), rtol=1e-6)


def test_reset_restores_the_initial_values():
    model = model_of("all", seed=5)
    model.reset()
    want = model.theta.copy()
    model.theta[:] = 7.0
    model.reset(5)
    assert_array_equal(model.theta, want)
    assert model.inputs.codes == tuple(CODES.items())


def test_tools_that_walk_the_layers(engine):
    (X, y), model = data(), model_of("all", "float32")
    trainer = gd.Trainer(model, loss="cross_entropy", batch_size=8)
    trainer.fit(X, y, epochs=2, verbose=0)
    assert "7-27-36-36-18-3" in repr(trainer)
    assert model.plan(8).workspace > 0
    if engine.backend == "native":
        phases = trainer.profile(X, y).phases
        assert list(phases) == [
            *("gather", "forward 3", "forward 4", "loss", "backward 4", "backward 3", "update 3", "update 4", "wait"),
        ]
    model.theta[:] *= 1e37
    with pytest.raises(FloatingPointError, match="layer"):
        trainer.fit(X, y, epochs=2, verbose=0)


def test_lbfgs(engine):
    pytest.importorskip("scipy")
    X, y = data()
    model = model_of("all", "float64")
    before = gd.Trainer(model, loss="cross_entropy").evaluate(X, y)["loss"]
    gd.fit_lbfgs(model, X, y, loss="cross_entropy", epochs=30)
    assert gd.Trainer(model, loss="cross_entropy").evaluate(X, y)["loss"] < 0.5 * before


def test_plots(engine):
    pytest.importorskip("matplotlib")
    X, y = data()
    figure = gd.plot.activations(model_of("all", "float32"), X)
    assert [ax.get_title() for ax in figure.axes] == ["layer 3 (tanh)", "layer 4 (identity)"]
    assert len(gd.plot.weights(gd.Sequential(gd.Scale(9), gd.Dense(9, 2)), units=2).axes) >= 2
    gd.plot.landscape(model_of("all", "float32"), X, y, loss="cross_entropy", points=3)


DENSE = gd.Dense(7, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gd.Scale(0), "n must be 1 or more"),
        (lambda: gd.Embedding(7, [3, 4]), r"cardinalities must be a mapping .* such as \{3: 12\}, not \[3, 4\]"),
        (lambda: gd.Embedding(7, {}), "cardinalities is empty: leave the layer out"),
        (lambda: gd.Embedding(7, {7: 3}), "cardinalities has the column 7, but there are 7, numbered from 0"),
        (lambda: gd.Embedding(7, {-1: 3}), "an element of cardinalities must be 0 or more"),
        (lambda: gd.Embedding(7, {"a": 3}), "an element of cardinalities must be an integer"),
        (lambda: gd.Embedding(7, {1: 0}), r"cardinalities\[1\] must be 1 or more"),
        (lambda: gd.Embedding(7, {1: 2**25}), "at most 16777216"),
        (lambda: gd.Embedding(7, {1: 3}, dim={2: 3}), r"dim must have the columns of cardinalities, \[1\], not \[2\]"),
        (lambda: gd.Embedding(7, {1: 3}, dim=0), "dim must be 1 or more"),
        (lambda: gd.Embedding(7, {1: 3}, embedding_dim=4), "Embedding has no argument 'embedding_dim'"),
        (lambda: gd.PeriodicEmbedding(7, "ab"), r"columns must be indices of columns, such as \[0, 2\], not 'ab'"),
        (lambda: gd.PeriodicEmbedding(7, [1, 1]), "columns has the column 1 twice"),
        (lambda: gd.PeriodicEmbedding(7, []), "columns is empty"),
        (lambda: gd.PeriodicEmbedding(7, std=-1), r"std must be in \[0, 1e37\]"),
        (lambda: gd.Sequential(gd.Scale(7)), r"Scale\(7\) at the end has no layer that takes its outputs"),
        (lambda: gd.Sequential(gd.Scale(6), DENSE), "layer 1 takes 7 columns, but layer 0 has 6 outputs"),
        (lambda: gd.Sequential(DENSE, gd.Scale(3), gd.Dense(3, 1)), "must come before the first Dense"),
        (lambda: gd.Sequential(gd.Dropout(0.1), gd.Scale(7), DENSE), "would change the columns that it reads"),
        (lambda: gd.Sequential(gd.Scale(7), gd.Embedding(7, {1: 2}), gd.Dense(14, 1)), "must be the first layer"),
        (lambda: gd.Sequential("scale", DENSE), "layer 0 must be a Dense, a Dropout, .* or a Scale, not 'scale'"),
    ],
)
def test_errors_of_constructors(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_fisher_diagonal_is_the_sum_of_squares_of_each_row(engine):
    X, y = data(9)
    model, loss = model_of("all"), gd.CrossEntropy()
    squares = np.zeros(model.size)
    for row in range(9):
        one = slice(row, row + 1)
        model.backward(loss.value_and_gradient(model.forward(X[one]), y[one])[1])
        squares += model.grad**2
    assert_allclose(model.fisher_diagonal(X, y, loss), squares / 9, rtol=1e-9, atol=1e-14)


def test_derivatives(engine):
    X, y = data(9)
    model = model_of("all")
    dX = model.input_gradient(X, y, "cross_entropy")
    assert (dX[:, [2, 5]] == 0).all()
    assert dX[:, [0, 1]].all()
    v = np.cos(np.arange(model.size))
    assert np.isfinite(model.hessian_vector_product(X, y, "cross_entropy", v)).all()


def test_parts(engine):
    X, _ = data()
    model = model_of("all")
    trunk, head = model[:4], model.share(4)
    assert trunk.inputs.codes == model.inputs.codes
    assert head.inputs.codes == ()
    assert_allclose((trunk + head).predict(X), model.predict(X), rtol=1e-12)
    assert [A.shape for A in model.activations(X)] == [(ROWS, 18), (ROWS, 3)]
    assert_allclose(model.activations(X, "pre-activations")[1], model.predict(X), rtol=1e-12)
    with pytest.raises(ValueError, match="at the end has no layer that takes its outputs"):
        model[:2]


def test_freezing(engine):
    X, y = data()
    model = model_of("all", "float32")
    model.freeze("0.*", "1.phase")
    theta = model.theta.copy()
    gd.Trainer(model, loss="cross_entropy", optimizer=gd.AdamW(lr=0.1), batch_size=8).fit(X, y, epochs=1, verbose=0)
    assert_array_equal(model.theta == theta, model.is_frozen())


def test_pruning(engine):
    X, y = data()
    model = model_of("all", "float32")
    model.prune(0.5, "*.amplitude")
    optimizer = gd.AdamW(lr=0.1, clip_norm=0.1)
    gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=8).fit(X, y, epochs=1, verbose=0)
    assert_array_equal(model.theta == 0, model.mask == 0)
