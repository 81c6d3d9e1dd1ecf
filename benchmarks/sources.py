"""python -m benchmarks.sources: training from a source beside the same rows in memory; files are in the cache."""

import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import fastgd as gd

ROWS, COLUMNS, BATCH = 150_000, 100, 128
NETWORKS = {"100-64-2": (64,), "100-256-256-2": (256, 256)}  # hidden units
EPOCHS, ROUNDS = 2, 5


def measure(name: str) -> dict[str, float]:
    """Seconds per row of "memory" and of each kind of source: medians of rounds in which all take turns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS), np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        fits = {"memory": _fit(name, X, y)} | {kind: _fit(name, data) for kind, data in _sources(X, y, Path(folder))}
        taken = [{kind: _seconds(fit) for kind, fit in fits.items()} for _ in range(ROUNDS + 1)][1:]
    return {kind: median(each[kind] for each in taken) / EPOCHS / ROWS for kind in fits}


def _sources(X: np.ndarray, y: np.ndarray, folder: Path) -> Any:
    yield "arrays", gd.ArraySource(X, y)
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    yield ".npy files", gd.ArraySource(folder / "X.npy", folder / "y.npy")
    if find_spec("pyarrow"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({f"x{j}": X[:, j] for j in range(COLUMNS)} | {"y": y})
        pq.write_table(table, folder / "rows.parquet", row_group_size=8192)
        yield "Parquet", gd.ParquetSource(folder / "rows.parquet", target="y")


def _fit(name: str, *data: Any) -> Callable[[], object]:
    model = gd.MLP(COLUMNS, *NETWORKS[name], 2, seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(1e-3), batch_size=BATCH, seed=0)
    return lambda: trainer.fit(*data, epochs=EPOCHS, verbose=0)


def _seconds(fit: Callable[[], object]) -> float:
    begun = time.perf_counter()
    fit()
    return time.perf_counter() - begun


def main() -> None:
    for name in NETWORKS:
        found = measure(name)
        shares = (f"{kind} {found['memory'] / seconds:.0%}" for kind, seconds in found.items() if kind != "memory")
        print(f"{name}: {found['memory'] * 1e9:.0f} ns per row in memory; {', '.join(shares)}", flush=True)


if __name__ == "__main__":
    main()
