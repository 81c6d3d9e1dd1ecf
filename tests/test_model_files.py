"""Model files: what they store, and what is rejected."""

import json
import zipfile
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest

import fastgd as gd
from fastgd.data.outputs import OutputSpec


@pytest.fixture(params=[".npz", ".safetensors"])
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"model{request.param}"


def model_of(seed=0):
    return gd.MLP(3, 4, 2, seed=seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_files_keep_everything(path, dtype):
    layers = gd.Dense(3, 4, "tanh", init=gd.initializers.Constant(0.5)), gd.Dense(4, 2, bias=False)
    model = gd.Sequential(*layers, seed=2**64 - 1, dtype=dtype)
    X = np.random.default_rng(0).standard_normal((6, 3))
    gd.Trainer(model, loss="cross_entropy", batch_size=6).fit(X, ["b", "a"] * 3, epochs=1, verbose=0)
    model.save(path)
    for twin in (gd.load(path), gd.Sequential.load(str(path))):
        np.testing.assert_array_equal(twin.theta, model.theta)
        assert (twin.seed, twin.dtype, repr(twin)) == (model.seed, model.dtype, repr(model))
        assert twin.predict(X).tolist() == model.predict(X).tolist()
    twin.reset()
    model.reset()
    np.testing.assert_array_equal(twin.theta, model.theta)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "classes",
    [
        ["no", "yes"],
        [False, True],
        [0.5, 2.5],
        np.array([3, 9], np.uint8),
        np.array(["1", 1], dtype=object),
        np.array([b"1", Decimal("0.1"), date(2020, 1, 1), datetime(2020, 1, 1, 5), ("a", (1, 2.5))], dtype=object),
        np.array([b"no", b"yes"]),
        np.array(["2020-01-01", "2021-01-01"], "datetime64[ns]"),
        np.array([1, 2], "timedelta64[25s]"),
        None,
    ],
    ids=str,
)
def test_files_keep_the_classes(path, classes):
    model = model_of() if classes is None else gd.MLP(3, len(classes), seed=0)
    model.head = OutputSpec("softmax", None if classes is None else np.array(classes), squeeze=True)
    model.save(path)
    head = gd.load(path).head
    assert (head.link, head.squeeze) == ("softmax", True)
    if classes is None:
        assert head.classes is None
    else:
        assert head.classes.dtype == model.head.classes.dtype
        assert head.classes.tolist() == model.head.classes.tolist()


def test_classes_that_no_file_can_keep(tmp_path):
    model = model_of()
    model.head = OutputSpec("softmax", np.array([object(), 1], object))
    with pytest.raises(TypeError, match="labels must be text"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_numpy_reads_the_file(tmp_path):
    model = model_of()
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["1.weight"], model.parameters()["1.weight"])


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    model = model_of()
    model.save(path)
    old = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        model_of(seed=1).save(path)
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_unknown_endings_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match=r"\.npz or \.safetensors, not '\.pt'"):
        model_of().save(tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"\.npz or \.safetensors"):
        gd.load(tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        gd.load(tmp_path / "missing.npz")


def test_safetensors_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r'pip install "fastgd\[safetensors\]"'):
        model_of().save(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(ImportError, match=r'pip install "fastgd\[safetensors\]"'):
        gd.load(tmp_path / "model.safetensors")


def refused(path):
    with pytest.raises(ValueError, match="not a fastgd model file, or it is damaged"):
        gd.load(path)


def test_truncated_files_are_refused(path):
    model_of().save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refused(path)


def test_flipped_bytes_never_crash(path):
    """A change is rejected or harmless: what is loaded has finite parameters of the right size."""
    model_of().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 600):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged)
        try:
            model = gd.load(path)
        except ValueError:
            continue
        assert model.theta.shape == (model.size,)
        assert np.isfinite(model.theta).all()


def test_foreign_files_are_refused(tmp_path):
    np.savez(tmp_path / "arrays.npz", W=np.zeros(3))
    (tmp_path / "text.npz").write_text("not a zip file")
    refused(tmp_path / "arrays.npz")
    refused(tmp_path / "text.npz")


def rewritten(path, change, drop=(), add=None, compress=zipfile.ZIP_STORED):
    """A model file with a changed config or other members."""
    model_of().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["fastgd.json"])
    change(config)
    members["fastgd.json"] = json.dumps(config).encode()
    members = {name: content for name, content in members.items() if name not in drop} | (add or {})
    with zipfile.ZipFile(path, "w", compress) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def header(shape, dtype="<f4"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


HUGE = 2**31 - 1


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda w: w.update(format="fastgd model 99"), {}),
        (lambda w: w.update(dtype="float16"), {}),
        (lambda w: w.update(dtype="O"), {}),
        (lambda w: w.update(seed=-1), {}),
        (lambda w: w.update(layers=[]), {}),
        (lambda w: w.pop("layers"), {}),
        (lambda w: w["layers"][0].update(n_in=HUGE, n_out=HUGE), {}),
        (lambda w: w["layers"][0].update(activation={"name": "__class__"}), {}),
        (lambda w: w["layers"][0].update(init={"name": "zeros", "value": 1}), {}),
        (lambda w: w["layers"].append(w["layers"][1]), {}),
        (lambda w: w["head"].update(link="logit"), {}),
        (lambda w: w["head"].update(classes={"dtype": "str", "labels": ["a"]}), {}),
        (lambda w: w["head"].update(link="softmax", classes={"dtype": "str", "labels": ["a"] * 3}), {}),
        (lambda w: w["head"].update(link="softmax", classes={"dtype": "O", "labels": [[], {}]}), {}),
        (lambda w: w["head"].update(link="softmax", classes={"dtype": "U1000000000", "labels": ["a"]}), {}),
        (lambda w: None, {"drop": ["0.bias.npy"]}),
        (lambda w: None, {"drop": ["fastgd.json"]}),
        (lambda w: None, {"add": {"2.weight.npy": header((1,)) + bytes(4)}}),
        (lambda w: None, {"add": {"0.bias.npy": header((4,)) + bytes(15)}}),
        (lambda w: None, {"add": {"0.bias.npy": header((4,)) + bytes(20)}}),
        (lambda w: None, {"add": {"0.bias.npy": header((HUGE, HUGE))}}),
        (lambda w: None, {"add": {"0.bias.npy": header((4,), "<f8") + bytes(32)}}),
        (lambda w: None, {"add": {"0.bias.npy": header((4,), "|O") + bytes(32)}}),
        (lambda w: None, {"add": {"0.bias.npy": header((4,)) + np.float32([0, 0, np.nan, 0]).tobytes()}}),
        (lambda w: None, {"compress": zipfile.ZIP_DEFLATED}),
    ],
)
def test_lying_files_are_refused(tmp_path, change, options):
    refused(rewritten(tmp_path / "model.npz", change, **options))


def test_a_rewritten_honest_file_is_read(tmp_path):
    """Only the changes of the test above make its files fail."""
    np.testing.assert_array_equal(
        gd.load(rewritten(tmp_path / "model.npz", lambda config: None)).theta, model_of().theta
    )
