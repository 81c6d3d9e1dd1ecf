"""Sources of Parquet and Arrow files."""

import numpy as np
import pytest

import fastgd as gd

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
ipc = pytest.importorskip("pyarrow.ipc")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1000, 3)).astype(np.float32)
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
WEIGHT = RNG.uniform(1, 2, 1000)
TABLE = pa.table({"b": X[:, 0], "label": LABELS, "a": X[:, 1], "w": WEIGHT, "c": X[:, 2]})


def write(path, table=TABLE, rows=150):
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=rows)
    else:
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table, max_chunksize=rows)
    return path


SOURCES = {"rows.parquet": gd.ParquetSource, "rows.arrow": gd.ArrowSource}


def trained(*data, shuffle=True, **fit):
    trainer = gd.Trainer(gd.MLP(3, 8, 1, seed=0), loss="bce", shuffle=shuffle)
    trainer.fit(*data, epochs=3, verbose=0, **fit)
    return trainer


@pytest.mark.parametrize("name", SOURCES)
def test_same_bits_as_from_memory(tmp_path, name):
    """Of rows in order and shuffled; columns keep their names."""
    source = SOURCES[name](write(tmp_path / name), "label", sample_weight="w", buffer_rows=400)
    assert source.block_rows == [150] * 6 + [100]
    assert source.columns == ["b", "a", "c"]
    in_memory = trained(X, LABELS, shuffle=False, sample_weight=WEIGHT)
    streamed = trained(source, shuffle=False)
    assert np.array_equal(in_memory.model.theta, streamed.model.theta)
    assert in_memory.history["loss"] == streamed.history["loss"]
    assert streamed.model.inputs.names.tolist() == ["b", "a", "c"]
    assert streamed.model.head.classes.tolist() == ["no", "yes"]
    arrays = gd.ArraySource(X, LABELS, WEIGHT, block_rows=150, buffer_rows=400)
    assert np.array_equal(trained(arrays).model.theta, trained(source).model.theta)
    X_all, y_all, weight_all = source.arrays()
    assert X_all.column_names == ["b", "a", "c"]
    assert np.array_equal(y_all, LABELS)
    assert np.array_equal(weight_all, WEIGHT)


@pytest.mark.parametrize("name", SOURCES)
def test_several_files_targets_and_chosen_columns(tmp_path, name):
    whole = write(tmp_path / name)
    parts = [write(tmp_path / f"part-{i}-{name}", TABLE.slice(500 * i, 500)) for i in range(2)]
    cls = SOURCES[name]
    chosen = {"target": ["a", "c"], "columns": ["b", "w"]}
    for given in (parts, str(tmp_path / f"part-*-{name}")):
        source = cls(given, **chosen)
        assert source.block_rows == [150, 150, 150, 50] * 2
        for got, expected in zip(source.arrays(), cls(whole, **chosen).arrays(), strict=True):
            assert np.array_equal(np.asarray(got), np.asarray(expected))
    trainer = gd.Trainer(gd.MLP(2, 8, 2, seed=0), loss="mse")
    trainer.fit(cls(parts, **chosen), epochs=1, verbose=0)
    assert trainer.step == 32


@pytest.mark.parametrize("name", SOURCES)
def test_bad_files(tmp_path, name):
    path, cls = write(tmp_path / name), SOURCES[name]
    with pytest.raises(ValueError, match="has no column 'y'; its columns are 'b', 'label'"):
        cls(path, "y")
    with pytest.raises(FileNotFoundError, match="missing"):
        cls(tmp_path / "missing", "y")
    with pytest.raises(TypeError, match="X of block 0 must hold numbers, but column 'label'"):
        trained(cls(path, "w", columns=["a", "b", "label"]))
    missing = TABLE.set_column(0, "b", pa.array([None if i == 400 else 1.0 for i in range(1000)]))
    with pytest.raises(ValueError, match="X of block 2 must be finite, but has nan in row 100, column 'b'"):
        trained(cls(write(tmp_path / f"missing-{name}", missing), "label", columns=["a", "b", "c"]))
