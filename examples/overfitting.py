"""Model bias, failed optimisation, overfitting: the curves that tell them apart; the figures of docs/overfitting.md.

Run: python overfitting.py [picture.png], which also makes picture-bias.png and picture-optimisation.png.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

PICTURE = Path(sys.argv[1] if len(sys.argv) > 1 else "overfitting.png")


def wave(rows, seed):
    """y = sin(3 x) + noise of deviation 0.2, for x from -2 to 2: no model can get below a squared error of 0.04."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (rows, 1))
    return x, np.sin(3 * x[:, 0]) + 0.2 * rng.standard_normal(rows)


def train(loss, data, new, widths, epochs, optimizer=None, callbacks=(), **options):
    """The history; validation on new rows, which are never trained on."""
    trainer = gd.Trainer(gd.MLP(*widths, seed=0, **options), loss=loss, optimizer=optimizer or gd.Adam(lr=0.003))
    return trainer.fit(*data, epochs=epochs, validation=new, callbacks=callbacks, verbose=0)


def draw(runs, title, name, unit, **scale):
    """Training loss of all runs on the left, validation loss on the right, on one scale."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    figure.suptitle(title)
    for ax, column, rows in zip(axes, ("loss", "validation_loss"), ("training", "validation"), strict=True):
        for color, (label, history) in zip(plot.PALETTE, runs.items(), strict=False):
            ax.plot(history["epoch"], history[column], color=color, linewidth=1.8, label=label)
        ax.set(title=f"{rows} rows", xlabel="epoch", **(scale or {"yscale": "log"}))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"loss ({unit})")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(runs), frameon=False)
    figure.savefig(name, dpi=120)
    for label, history in runs.items():
        print(
            f"{label}: training {history['loss'][-1]:.3f}, validation {history['validation_loss'][-1]:.3f} at the end"
        )


rows, new, deep = wave(300, seed=0), wave(300, seed=1), (1, *[32] * 6, 1)
line, small, trained = (train("mse", rows, new, widths, 150) for widths in ((1, 1), (1, 32, 32, 1), deep))
failed = train("mse", rows, new, deep, 150, gd.SGD(lr=0.01), activation="sigmoid")
runs = {"a line": line, "32-32": small}
title = "Model bias: the bigger model has a much smaller training loss"
draw(runs, title, PICTURE.with_stem(PICTURE.stem + "-bias"), "mean squared error")
runs = {"32-32": small, "six layers, sigmoid, SGD": failed, "six layers, ReLU, Adam": trained}
title = "Failed optimisation: the bigger model has the larger training loss, until it is trained better"
draw(runs, title, PICTURE.with_stem(PICTURE.stem + "-optimisation"), "mean squared error")

X, y = gd.datasets.digits()
X, new, big = X / 16, (X[1000:] / 16, y[1000:]), (64, 128, 128, 10)  # new: other writers


def digits(n, *options):
    return train("cross_entropy", (X[:n], y[:n]), new, big, 200, *options)


remedies = {
    "100 rows": digits(100),
    "weight decay": digits(100, gd.AdamW(lr=0.003, weight_decay=0.3)),
    "early stopping": digits(100, None, [gd.EarlyStopping(patience=10)]),
    "1,000 rows": digits(1000),
}
draw(
    remedies,
    "Overfitting: training loss falls on, validation loss does not",
    PICTURE,
    "cross-entropy, nat",
    ylim=(0, 1),
)
