"""Invalid input through the public API: the exception, its message, and that nothing has changed."""

import io
import zipfile

import numpy as np
import pytest

import fastgd as gd

pytestmark = pytest.mark.usefixtures("engine")

ROWS, COLUMNS = 40, 3


def problem():
    random = np.random.default_rng(0)
    X = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return X, (X.sum(axis=1) > 0).astype(int)


def make_trainer(loss="cross_entropy", n_out=2, **options):
    options = {"optimizer": gd.Adam(lr=0.01), "batch_size": 8, "seed": 0} | options
    return gd.Trainer(gd.MLP(COLUMNS, 4, n_out, seed=0), loss=loss, **options)


def state_of(trainer):
    """Everything that training changes, as bytes and plain values."""
    model, optimizer = trainer.model, trainer.optimizer
    return {
        "theta": model.theta.tobytes(),
        "head": (model.head.link, np.array(model.head.classes).tolist(), model.head.squeeze),
        "slots": None if optimizer.state is None else optimizer.state.tobytes(),
        "steps": optimizer.steps,
        "history": {name: list(column) for name, column in trainer.history.items()},
        "counters": (trainer.epoch, trainer.step),
    }


@pytest.fixture(params=["new", "trained"])
def trainer(request):
    trainer = make_trainer()
    if request.param == "trained":
        trainer.fit(*problem(), epochs=2, verbose=0)
    return trainer


def spoilt(array, place, value):
    array = array.copy()
    array[place] = value
    return array


X, Y = problem()
FITS = {
    "X flat": ((X[0], Y), {}, ValueError, r"X must have shape \(rows, 3\), not \(3,\); for one row pass X\.reshape"),
    "X deep": ((X[None], Y), {}, ValueError, r"not \(1, 40, 3\); flatten each row"),
    "X narrow": ((X[:, :2], Y), {}, ValueError, "2 columns where 3 are expected"),
    "X empty": ((X[:0], Y[:0]), {}, ValueError, r"X is empty: it has shape \(0, 3\)"),
    "X with NaN": ((spoilt(X, (7, 1), np.nan), Y), {}, ValueError, "X must be finite, but has nan in row 7, column 1"),
    "X with inf": ((spoilt(X, (0, 2), -np.inf), Y), {}, ValueError, "has -inf in row 0, column 2"),
    "X of objects": ((np.where(X > 9, X, "a"), Y), {}, TypeError, "X must hold numbers, not dtype <U"),
    "X of text": ((X.astype(str), Y), {}, TypeError, "X must hold numbers, not dtype <U"),
    "X complex": ((X.astype(complex), Y), {}, TypeError, "X must hold real numbers, not complex128"),
    "y too short": ((X, Y[:-1]), {}, ValueError, "X and y must have the same number of rows, not 40 and 39"),
    "y empty": ((X, []), {}, ValueError, "y is empty"),
    "y beyond the classes": ((X, spoilt(Y, 3, 2)), {}, ValueError, "3 classes|the label 2 in row 3"),
    "y with a gap": ((X, [None, *Y[1:]]), {}, ValueError, r"y has no label in row 0 \(None\)"),
    "y with NaN": ((X, spoilt(Y.astype(float), 5, np.nan)), {}, ValueError, "y must be finite, but has nan in row 5"),
    "y deep": ((X, np.zeros((ROWS, 2, 2))), {}, ValueError, r"y must have shape .* not \(40, 2, 2\)"),
    "y too wide": ((X, np.zeros((ROWS, 3))), {}, ValueError, r"one label per row, shape \(rows,\), not \(40, 3\)"),
    "no epochs": ((X, Y), {"epochs": 0}, ValueError, "epochs must be 1 or more"),
    "half epochs": ((X, Y), {"epochs": 1.5}, TypeError, "epochs must be an integer.* 1.5"),
    "validation 0": ((X, Y), {"validation": 0.0}, ValueError, r"validation must be a fraction in \(0, 1\)"),
    "validation 1": ((X, Y), {"validation": 1.0}, ValueError, r"validation must be a fraction in \(0, 1\)"),
    "validation tiny": ((X, Y), {"validation": 0.001}, ValueError, "leaves no validation rows"),
    "validation word": (
        (X, Y),
        {"validation": "0.2"},
        TypeError,
        r"validation must be a fraction in \(0, 1\), a Split, a pair",
    ),
    "validation X": ((X, Y), {"validation": (X[:, :1], Y)}, ValueError, "validation X must have .* 1 columns where 3"),
    "validation NaN": ((X, Y), {"validation": (X * np.nan, Y)}, ValueError, "validation X must be finite"),
    "validation y": ((X, Y), {"validation": (X, Y + 1)}, ValueError, "validation y has the label 2 in row "),
    "validation rows": (
        (X, Y),
        {"validation": (X, Y[1:])},
        ValueError,
        "validation X and validation y .* not 40 and 39",
    ),
    "few weights": ((X, Y), {"sample_weight": [1.0]}, ValueError, r"sample_weight must have shape \(40,\)"),
    "negative weight": ((X, Y), {"sample_weight": -np.ones(ROWS)}, ValueError, "must be >= 0, but is -1.0 in row 0"),
    "no weight": ((X, Y), {"sample_weight": np.zeros(ROWS)}, ValueError, "zero for every row"),
    "tol": ((X, Y), {"tol": -1.0}, ValueError, "tol must be"),
    "callback": ((X, Y), {"callbacks": [print]}, TypeError, "a callback must be an instance of Callback"),
    "one callback": ((X, Y), {"callbacks": gd.EarlyStopping()}, TypeError, "callbacks must be a sequence"),
    "nothing to watch": (
        (X, Y),
        {"callbacks": [gd.EarlyStopping()]},
        ValueError,
        "'validation_loss'.*pass validation=",
    ),
}


@pytest.mark.parametrize("case", FITS)
def test_fit_refuses_and_changes_nothing(trainer, case):
    arguments, options, error, message = FITS[case]
    before = state_of(trainer)
    with pytest.raises(error, match=message):
        trainer.fit(*arguments, **{"epochs": 1, "verbose": 0} | options)
    after = state_of(trainer)
    # Binding the optimizer creates its slots, all zero; one that is bound must keep its own.
    if before["slots"] is None:
        assert not any(after.pop("slots") or b"")
        del before["slots"]
    assert after == before


@pytest.mark.parametrize(("loss", "n_out", "y", "error", "message"), [
    ("cross_entropy", 1, Y, ValueError, "one output per class; for a single output use loss='bce'"),
    ("bce", 1, Y + Y * X[:, 0], ValueError, "two classes or probabilities"),
    ("bce", 2, np.full((ROWS, 2), 1.5), ValueError, r"y must be in \[0, 1\] .* but is 1.5 in row 0, column 0"),
    ("mse", 1, np.array(["a"] * ROWS), TypeError, "numbers for the loss 'mse', not 'a'"),
    ("mse", 2, Y, ValueError, r"shape \(rows, 2\), one column per output"),
    ("mse", 1, spoilt(Y.astype(float), 4, np.inf), ValueError, "y must be finite, but has inf in row 4"),
])  # fmt: skip
def test_targets_that_do_not_fit_the_loss(loss, n_out, y, error, message):
    trainer = make_trainer(loss, n_out)
    before = state_of(trainer)
    with pytest.raises(error, match=message):
        trainer.fit(X, y, verbose=0)
    assert state_of(trainer) == before


def test_classes_are_those_of_the_first_fit():
    trainer = make_trainer(n_out=3)
    trainer.fit(X, np.array(["no", "yes"])[Y], verbose=0)
    before = state_of(trainer)
    with pytest.raises(
        ValueError, match=r"the label 'maybe' in row 1, but the model knows only 2 classes \('no', 'yes'\)"
    ):
        trainer.fit(X[:3], ["no", "maybe", "yes"], verbose=0)
    assert state_of(trainer) == before


@pytest.mark.parametrize("optimizer", [gd.SGD(lr=1e30), gd.SGD(lr=1e30, momentum=0.9)], ids=["sgd", "momentum"])
def test_a_loss_that_explodes_keeps_the_last_good_state(optimizer):
    trainer = make_trainer("mse", 1, optimizer=optimizer)
    with pytest.raises(
        FloatingPointError, match=r"not finite at step \d+ \(epoch \d+\).*Lower lr \(now 1e\+30\) or scale"
    ):
        trainer.fit(1e6 * X, Y, epochs=50, verbose=0)
    assert np.isfinite(trainer.model.theta).all()
    assert np.isfinite(trainer.optimizer.state).all()
    assert trainer.step == trainer.optimizer.steps
    assert len(trainer.history["epoch"]) == trainer.epoch
    trainer.model.predict(X)


def test_a_batch_larger_than_the_data_is_all_rows():
    large, all_rows = make_trainer(batch_size=1000), make_trainer(batch_size=None)
    with pytest.warns(UserWarning, match="batch_size=1000 is more than the 40 training rows"):
        large.fit(X, Y, epochs=2, verbose=0)
    all_rows.fit(X, Y, epochs=2, verbose=0)
    assert (large.model.theta == all_rows.model.theta).all()


READABLE = {
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "columns first": np.asfortranarray,
    "rows apart": lambda X: np.repeat(X, 2, axis=0)[::2],
    "rows backwards": lambda X: X[::-1].copy()[::-1],
    "columns apart": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "other byte order": lambda X: X.astype(">f4"),
    "float64": lambda X: X.astype(np.float64),
    "list": np.ndarray.tolist,
}


@pytest.mark.parametrize("layout", READABLE)
def test_every_readable_layout_gives_the_same_numbers(engine, layout):
    """The same bits, except for the NumPy engine, whose BLAS may sum in a different order for a different stride."""
    rtol = 1e-4 if engine.backend == "numpy" else 0
    expected, trainer = make_trainer(), make_trainer()
    expected.fit(X, Y, epochs=2, verbose=0)
    trainer.fit(READABLE[layout](X), Y, epochs=2, verbose=0)
    np.testing.assert_allclose(trainer.model.theta, expected.model.theta, rtol=rtol)
    probabilities = trainer.model.predict_proba(READABLE[layout](X))
    np.testing.assert_allclose(probabilities, expected.model.predict_proba(X), rtol=rtol)


@pytest.mark.parametrize("verb", ["predict", "predict_proba", "forward"])
@pytest.mark.parametrize("case", [name for name in FITS if name.startswith("X ")])
def test_predict_refuses(trainer, verb, case):
    trainer.fit(X, Y, epochs=1, verbose=0)
    (bad, _), _, error, message = FITS[case]
    before = state_of(trainer)
    with pytest.raises(error, match=message):
        getattr(trainer.model, verb)(bad)
    assert state_of(trainer) == before


def test_a_loop_of_ones_own_refuses():
    model, optimizer = gd.MLP(COLUMNS, 4, 2, seed=0), gd.Adam()
    with pytest.raises(RuntimeError, match="forward"):
        model.backward(np.ones((ROWS, 2)))
    model.forward(X)
    for bad, error, message in [
        (np.ones((ROWS, 3)), ValueError, "dZ must have shape .* 3 columns where 2"),
        (np.ones((ROWS - 1, 2)), ValueError, r"dZ must have shape \(40, 2\)"),
        (np.full((ROWS, 2), np.nan), ValueError, "dZ must be finite, but has nan in row 0, column 0"),
    ]:
        with pytest.raises(error, match=message):
            model.backward(bad)
    model.backward(np.ones((ROWS, 2)))
    optimizer.step(model)
    theta = model.theta.copy()
    with pytest.raises(ValueError, match="optimi[sz]er"):
        optimizer.step(gd.MLP(COLUMNS, 5, 2, seed=0))
    assert (model.theta == theta).all()
    assert optimizer.steps == 1


def test_theta_refuses():
    model = gd.MLP(COLUMNS, 2, seed=0)
    theta = model.theta.copy()
    for bad, error, message in [
        (theta[:-1], ValueError, r"theta must have shape \(8,\), not \(7,\)"),
        (theta * np.nan, ValueError, "theta must be finite"),
        (np.full(8, 1e300), ValueError, "theta must be finite"),
        (["a"] * 8, TypeError, "theta must hold numbers"),
    ]:
        with pytest.raises(error, match=message):
            model.theta = bad
    assert (model.theta == theta).all()


def test_probabilities_of_a_regression():
    trainer = make_trainer("mse", 1)
    trainer.fit(X, Y, epochs=1, verbose=0)
    with pytest.raises(ValueError, match="predict_proba needs a classifier"):
        trainer.model.predict_proba(X)


CONSTRUCTIONS = {
    "no widths": (lambda: gd.MLP(), ValueError, "numbers of inputs and outputs"),
    "no layer": (lambda: gd.Sequential(), ValueError, "at least one layer"),
    "width 0": (lambda: gd.MLP(3, 0), ValueError, "n_out must be 1 or more"),
    "half a unit": (lambda: gd.MLP(3, 2.5), TypeError, "n_out must be an integer"),
    "layers": (lambda: gd.Sequential(gd.Dense(3, 4), gd.Dense(5, 1)), ValueError, "5 columns, but layer 0 has 4 "),
    "activation": (lambda: gd.Dense(3, 2, "relo"), ValueError, "unknown activation 'relo': did you mean 'relu'"),
    "dtype": (lambda: gd.MLP(3, 2, dtype="int32"), ValueError, 'dtype must be "float32" or "float64"'),
    "seed": (lambda: gd.MLP(3, 2, seed=-1), ValueError, r"seed must be in \[0, 2\*\*64\), not -1"),
    "loss": (lambda: make_trainer("cross-entropy"), ValueError, "'cross-entropy': did you mean 'cross_entropy'"),
    "optimizer": (lambda: make_trainer(optimizer="adm"), ValueError, "unknown optimizer 'adm': did you mean 'adam'"),
    "optimizer class": (lambda: make_trainer(optimizer=gd.SGD), TypeError, r"write SGD\(\) instead of SGD"),
    "lr": (lambda: gd.SGD(lr=-0.1), ValueError, "lr must be"),
    "momentum": (lambda: gd.SGD(lr=0.1, momentum=1.0), ValueError, r"momentum must be in \[0, 1\), not 1.0"),
    "nesterov": (lambda: gd.SGD(lr=0.1, nesterov=True), ValueError, "nesterov"),
    "betas": (lambda: gd.Adam(betas=(0.9, 1.0)), ValueError, r"\[0, 1\), not 1.0"),
    "batch": (lambda: make_trainer(batch_size=0), ValueError, "batch_size must be 1 or more"),
    "threads": (lambda: make_trainer(n_threads=-2), ValueError, "n_threads must be 1 or more"),
    "model": (lambda: gd.Trainer("model", loss="mse"), TypeError, "model must be a Sequential"),
    "patience": (lambda: gd.EarlyStopping(patience=0), ValueError, "patience must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONSTRUCTIONS)
def test_construction_refuses(case):
    make, error, message = CONSTRUCTIONS[case]
    with pytest.raises(error, match=message):
        make()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.npz"
    gd.MLP(COLUMNS, 4, 2, seed=0).save(path)
    return path


def with_member(path, name, content):
    """Replace one member of a model file."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    assert name in members
    with zipfile.ZipFile(path, "w") as archive:
        for member, old in members.items():
            archive.writestr(member, content(old) if member == name else old)


def npy(array, **changes):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    content = stream.getvalue()
    for old, new in changes.items():
        content = content.replace(old.encode(), new.encode())
    return content


DAMAGE = {
    "text": lambda path: path.write_text("theta = 1"),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "foreign": lambda path: np.savez(path, weights=np.ones(3)),
    "pickle": lambda path: with_member(path, "0.weight.npy", lambda old: npy(np.array([[{}]], object))),
    "other shape": lambda path: with_member(path, "0.weight.npy", lambda old: npy(np.ones((3, 5), np.float32))),
    "other dtype": lambda path: with_member(path, "0.weight.npy", lambda old: npy(np.ones((3, 4)))),
    "NaN": lambda path: with_member(path, "0.weight.npy", lambda old: npy(np.full((3, 4), np.nan, np.float32))),
    "huge array": lambda path: with_member(path, "0.weight.npy", lambda old: old.replace(b"(3, 4)", b"(3,4000000000)")),
    "huge layer": lambda path: with_member(
        path, "fastgd.json", lambda old: old.replace(b'"n_in": 3', b'"n_in": 2000000000')
    ),
    "empty config": lambda path: with_member(path, "fastgd.json", lambda old: b"{}"),
    "truncated config": lambda path: with_member(path, "fastgd.json", lambda old: old[:-5]),
    "unknown activation": lambda path: with_member(path, "fastgd.json", lambda old: old.replace(b"relu", b"rely")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_model_files(file, damage):
    DAMAGE[damage](file)
    with pytest.raises(ValueError, match=r"model\.npz is not a fastgd model file, or it is damaged"):
        gd.load(file)


def test_every_flipped_byte_is_found_or_harmless(file):
    """Either an error message, or a model of the right shape with finite values; never a crash."""
    content, refused = file.read_bytes(), 0
    for place in range(0, len(content), 7):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            model = gd.load(file)
        except ValueError:
            refused += 1
        else:
            assert np.isfinite(model.predict(X)).all()
    assert refused > 0.5 * len(content) / 7


def test_missing_file_and_unknown_ending(tmp_path):
    with pytest.raises(FileNotFoundError):
        gd.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"must end in \.npz or \.safetensors, not '\.h5'"):
        gd.load(tmp_path / "model.h5")
    with pytest.raises(ValueError, match=r"must end in \.npz or \.safetensors"):
        gd.MLP(2, 1).save(tmp_path / "model")
