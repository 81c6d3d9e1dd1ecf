"""Irrelevant columns: L1 sets their weights to zero; compared with the elastic net, L2 and max-norm.

Run: python sparse.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
COLUMNS, ROWS = 20, 200


def simulate(rows, seed):
    """y depends on the first three of twenty columns and on noise of standard deviation 0.5."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, COLUMNS))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=rows)


(X, y), new = simulate(ROWS, seed=0), simulate(2000, seed=1)
unpenalized = {"*.bias": {"weight_decay": 0.0, "l1": 0.0}}  # penalize weights only
runs = {
    "no penalty": {},
    "L2: weight_decay=0.1": {"weight_decay": 0.1, "groups": unpenalized},
    "L1: l1=0.02": {"l1": 0.02, "groups": unpenalized},
    "elastic net: l1=0.01, weight_decay=0.05": {"l1": 0.01, "weight_decay": 0.05, "groups": unpenalized},
    "max_norm=1": {"max_norm": 1.0},
}
figure, axes = plt.subplots(len(runs), 1, figsize=(8, 7), sharex=True, sharey=True)
for ax, (name, settings) in zip(axes, runs.items(), strict=True):
    model = gd.MLP(COLUMNS, 32, 32, 1, seed=0)
    optimizer = gd.SGD(lr=gd.Cosine(0.02), momentum=0.9, **settings)
    history = gd.Trainer(model, loss="mse", optimizer=optimizer, seed=0).fit(X, y, 200, validation=new, verbose=0)
    weights = np.linalg.norm(model.parameters()["0.weight"], axis=1)  # norm per column over all units
    error, ratio = history["validation_loss"][-1], weights[3:].mean() / weights[:3].mean()
    print(f"{name}: error on new rows {error:.2f}; irrelevant columns weigh {ratio:.0%} of the relevant ones")
    ax.bar(range(COLUMNS), weights, color=[plot.ORANGE] * 3 + [plot.GREY] * (COLUMNS - 3))
    ax.set_title(f"{name} (error on new rows {error:.2f})", fontsize="medium", loc="left")
axes[len(runs) // 2].set_ylabel("norm of the column's weights in the first layer")
axes[-1].set(xlabel="column (orange: y depends on it)", xticks=range(COLUMNS))
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "sparse.png")
