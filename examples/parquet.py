"""Training from a Parquet file that need not fit in memory: row groups are read ahead while the network trains.

The file holds noisy points of two spirals, sorted by time, and so by class: the worst order for gradient descent.  Row
groups come in a random order, and the rows of several of them are shuffled together (`buffer_rows`).  The fewer groups
share a buffer, the more one-sided are the batches; with ten or more it is as if all rows were shuffled.

Run: python parquet.py [picture.png]; needs pyarrow
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="parquet.png")
options = parser.parse_args()
plt.style.use(plot.STYLE)

ROWS, GROUP = 40_000, 1_000
random = np.random.default_rng(0)


def spirals(labels):
    """Points of two spirals, x and y."""
    radius = np.sqrt(random.uniform(0.02, 1, len(labels)))
    angle = 9 * radius + np.pi * labels
    points = radius[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
    return (points + random.normal(0, 0.02, points.shape)).astype(np.float32)


labels = np.repeat([0, 1], ROWS // 2)
points = spirals(labels)
new_labels = np.arange(4_000) % 2
new = spirals(new_labels)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "spirals.parquet"
    table = pa.table({"x": points[:, 0], "y": points[:, 1], "spiral": labels})
    pq.write_table(table, path, row_group_size=GROUP)
    histories = {}
    for groups in (1, 4, 20):
        source = gd.ParquetSource(path, target="spiral", buffer_rows=groups * GROUP)
        trainer = gd.Trainer(gd.MLP(2, 64, 64, 2, activation="silu", seed=0), loss="cross_entropy", batch_size=64)
        histories[groups] = trainer.fit(source, epochs=8, validation=(new, new_labels), verbose=0)
        print(f"{groups:2d} row groups at a time: accuracy {histories[groups]['validation_accuracy'][-1]:.1%}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
for color, (groups, history) in zip((plot.GREY, plot.BLUE, plot.ORANGE), histories.items(), strict=True):
    label = "1 row group" if groups == 1 else f"{groups} row groups"
    left.plot(history["epoch"], history["validation_accuracy"], color=color, label=label)
left.set(title="Rows that are shuffled together", xlabel="epoch", ylabel="accuracy on new points")
left.legend()
side = np.linspace(-1.1, 1.1, 200, dtype=np.float32)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
probability = trainer.model.predict_proba(grid)[:, 1].reshape(200, 200)
right.contourf(side, side, probability, levels=[0, 0.5, 1], colors=[plot.BLUE, plot.ORANGE], alpha=0.25)
for label, color in enumerate((plot.BLUE, plot.ORANGE)):
    right.scatter(*new[new_labels == label][:400].T, s=3, color=color, label=f"spiral {label}")
right.set(title="What the last network has learned", xlabel="x", ylabel="y", aspect="equal")
right.legend(loc="upper right")
figure.savefig(options.picture)
print(f"result: accuracy {histories[20]['validation_accuracy'][-1]:.4f}")
