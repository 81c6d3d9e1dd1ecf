"""Arrays of every layout and origin are read, or refused in words before anything has changed."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from training import problem

import fastgd as gd
from fastgd.data.arrays import as_numeric, as_rows, is_memory_mapped


def unaligned(array):
    """The same values at an odd address."""
    array = np.ascontiguousarray(array)
    raw = np.empty(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[:] = array
    assert not view.flags.aligned
    return view


def objects_of(kind):
    return lambda array: np.array([kind(float(v)) for v in array.flat], object).reshape(array.shape)


def series_of(module, name):
    return lambda array: getattr(pytest.importorskip(module), name)(array) if array.ndim == 1 else array


def arrow(array):
    pyarrow = pytest.importorskip("pyarrow")
    if array.ndim == 1:
        return pyarrow.array(array)
    return pyarrow.table({f"c{i}": pyarrow.array(column) for i, column in enumerate(array.T)})


LAYOUTS = {
    "unaligned": unaligned,
    "unaligned float32": lambda array: unaligned(array.astype(np.float32)),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "reversed": lambda array: array[::-1].copy()[::-1],
    "columns of a wider table": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "Decimal": objects_of(lambda v: Decimal(repr(v))),
    "Fraction": objects_of(Fraction),
    "float objects": objects_of(float),
    "NumPy objects": objects_of(np.float64),
    "long double": lambda array: array.astype(np.longdouble),
    "lists": lambda array: array.tolist(),
    "pandas": series_of("pandas", "Series"),
    "polars": series_of("polars", "Series"),
    "torch": lambda array: pytest.importorskip("torch").tensor(array),
    "arrow": arrow,
    "matrix of a masked array": np.ma.array,
}


def rounded():
    """A regression whose values float32 holds exactly."""
    X, y, _ = problem("mse")
    return X.astype(np.float32).astype(float), y.astype(np.float32).astype(float)


def trained(X, y, weight, validation):
    trainer = gd.Trainer(gd.MLP(4, 8, 1, seed=0), loss="mse", optimizer=gd.SGD(lr=0.01), metrics=["rmse"])
    trainer.fit(X, y, epochs=2, sample_weight=weight, validation=validation, verbose=0)
    return trainer


@pytest.mark.parametrize("case", LAYOUTS)
def test_every_layout_gives_the_same_bits(engine, case):
    change = LAYOUTS[case]
    X, y = rounded()
    weight = 1.0 + np.arange(len(y))
    plain = trained(X, y, weight, (X, y, weight))
    same = trained(change(X), change(y), change(weight), (change(X), change(y), change(weight)))
    np.testing.assert_array_equal(same.model.theta, plain.model.theta)
    assert same.history["validation_rmse"] == plain.history["validation_rmse"]
    assert same.evaluate(change(X), change(y)) == plain.evaluate(X, y)
    np.testing.assert_array_equal(same.model.predict(change(X)), plain.model.predict(X))
    np.testing.assert_array_equal(same.model.forward(change(X)), plain.model.forward(X))


@pytest.mark.parametrize(
    "labels", [np.int64([0, 1, 2]), np.float32([0.5, 1.5, 2.5]), np.array(["a", "b", "c"])], ids=str
)
def test_labels_at_odd_addresses(labels):
    X, y, _ = problem()
    for change in (unaligned, lambda array: array.astype(array.dtype.newbyteorder(">"))):
        if labels.dtype.kind == "U" and change is unaligned:
            continue
        trainer = gd.Trainer(gd.MLP(4, 3, seed=0), loss="cross_entropy")
        trainer.fit(X, change(labels[y]), epochs=1, validation=0.2, verbose=0)
        assert set(trainer.model.predict(X).tolist()) <= set(labels.tolist())


def lazy_frame(name):
    polars = pytest.importorskip("polars")
    X, y = rounded()
    return polars.DataFrame(X).lazy() if name == "X" else polars.DataFrame({"y": y}).lazy()


BAD = {
    "lazy X": (lambda X, y: {"X": lazy_frame("X")}, TypeError, r"^X is a LazyFrame, .*; pass X\.collect\(\)"),
    "lazy y": (lambda X, y: {"y": lazy_frame("y")}, TypeError, r"^y is a LazyFrame, .*; pass y\.collect\(\)"),
    "lazy validation": (
        lambda X, y: {"validation": (lazy_frame("X"), y)},
        TypeError,
        r"^validation X is a LazyFrame",
    ),
    "fields": (
        lambda X, y: {"X": np.zeros(len(X), "f8,f8,f8,f8")},
        TypeError,
        r"^X has the fields f0, f1, f2, f3; make them columns",
    ),
    "text among Decimals": (
        lambda X, y: {"X": np.where(X > X.min(), objects_of(Decimal)(X), "one")},
        TypeError,
        r"^X must hold numbers, but has 'one' in row \d+, column \d",
    ),
    "missing Decimal": (
        lambda X, y: {"X": np.where(X > X.min(), objects_of(Decimal)(X), Decimal("NaN"))},
        ValueError,
        r"^X must be finite, but has nan in row \d+",
    ),
    "Decimal beyond float64": (
        lambda X, y: {"y": [Decimal("1e400")] * len(y)},
        ValueError,
        "^y must be finite, but has inf in row 0",
    ),
    "beyond float32": (
        lambda X, y: {"X": 1e39 * X},
        ValueError,
        r"^X has .*e\+\d+ in row 0, column 0 .*float32 cannot",
    ),
    "y beyond float32": (lambda X, y: {"y": 1e39 + y}, ValueError, r"^y has 1e\+39 in row 0"),
    "validation beyond float32": (
        lambda X, y: {"validation": (1e39 * X, y)},
        ValueError,
        r"^validation X has .*float32 cannot hold: scale validation X",
    ),
    "validation y beyond float32": (
        lambda X, y: {"validation": (X, 1e39 + y)},
        ValueError,
        r"^validation y has 1e\+39",
    ),
    "validation with NaN": (
        lambda X, y: {"validation": (X, np.where(y > y[0], y, np.nan))},
        ValueError,
        "^validation y must be finite, but has nan in row 0",
    ),
    "unaligned validation with NaN": (
        lambda X, y: {"validation": (unaligned(np.where(X > X.min(), X, np.nan)), y)},
        ValueError,
        "^validation X must be finite",
    ),
    "text as weights": (lambda X, y: {"sample_weight": ["a"] * len(y)}, TypeError, "^sample_weight must hold numbers"),
    "a column too few in validation": (
        lambda X, y: {"validation": (X[:, :3], y)},
        ValueError,
        r"^validation X must have shape \(rows, 4\)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_has_changed_nothing(engine, case):
    change, error, words = BAD[case]
    X, y = rounded()
    trainer = trained(X, y, None, 0.2)
    theta, history = trainer.model.theta.copy(), {k: list(v) for k, v in trainer.history.items()}
    with pytest.raises(error, match=words):
        trainer.fit(**{"X": X, "y": y, "epochs": 1, "verbose": 0, **change(X, y)})
    np.testing.assert_array_equal(trainer.model.theta, theta)
    assert dict(trainer.history) == history
    assert (trainer.epoch, trainer.optimizer.steps) == (2, 2 * 2)


def test_columns_of_objects_in_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"price": [Decimal("1.5"), Decimal("2")], "n": [1, 2]})
    frame["mixed"] = pandas.Series([1, 2.5], dtype=object)
    assert as_rows(frame, 3).tolist() == [[1.5, 1, 1], [2, 2, 2.5]]
    frame["mixed"] = pandas.Series([1, None], dtype=object)
    np.testing.assert_array_equal(as_rows(frame, 3), [[1.5, 1, 1], [2, 2, np.nan]])
    frame["mixed"] = ["1", 2]
    with pytest.raises(TypeError, match="column 'mixed' has dtype object; encode or drop it"):
        as_rows(frame, 3)


def test_decimals_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"price": [Decimal("1.5"), None], "n": [1, 2]})
    np.testing.assert_array_equal(as_rows(frame, 2), [[1.5, 1], [np.nan, 2]])


def test_numbers_of_any_kind():
    assert as_numeric([Decimal("0.5"), Fraction(1, 4), 2, True, np.float32(3)], "x").tolist() == [0.5, 0.25, 2, 1, 3]
    with pytest.raises(TypeError, match="must hold real numbers|has 1j"):
        as_numeric([Decimal(1), 1j], "x")


def test_memory_maps_are_recognised(tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", "f4", (6, 2))
    assert is_memory_mapped(X)
    assert is_memory_mapped(np.asarray(X)[1:, ::-1])
    assert is_memory_mapped(np.load(tmp_path / "X.npy", mmap_mode="r"))
    assert not is_memory_mapped(np.array(X))
    assert not is_memory_mapped(np.frombuffer(b"1234", np.uint8))


def test_out_at_an_odd_address_is_refused_in_words():
    model = gd.MLP(4, 2, seed=0)
    for out in (unaligned(np.zeros((3, 2), np.float32)), np.zeros((2, 3), np.float32).T):
        with pytest.raises(ValueError, match="out must be an ndarray .* that is contiguous, aligned and writable"):
            model.predict(np.zeros((3, 4)), out=out)
