"""Learning curves that tell model bias, failed optimization and overfitting apart; the figures of docs/overfitting.md.

Run: python overfitting.py [picture.png], which also makes picture-bias.png and picture-optimization.png.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
PICTURE = Path(sys.argv[1] if len(sys.argv) > 1 else "overfitting.png")
NOISE = 0.2


def wave(rows, seed):
    """y = sin(3 x) + noise, for x from -2 to 2: no model reaches an expected squared error below NOISE^2 = 0.04."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (rows, 1))
    return x, np.sin(3 * x[:, 0]) + NOISE * rng.standard_normal(rows)


def train(loss, data, new, model, epochs, optimizer, callbacks=()):
    """Train with validation on new rows and return the history."""
    trainer = gd.Trainer(model, loss=loss, optimizer=optimizer)
    return trainer.fit(*data, epochs=epochs, validation=new, callbacks=callbacks, verbose=0)


def draw(runs, title, name, unit, ticks, **scale):
    """Draw training losses on the left and validation losses on the right, with a dot at the end of each run."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
    figure.suptitle(title)
    for ax, column, rows in zip(axes, ("loss", "validation_loss"), ("training", "validation"), strict=True):
        for color, (label, h) in zip(plot.PALETTE, runs.items(), strict=False):
            ax.plot(h["epoch"], h[column], "o-", color=color, linewidth=1.8, label=label, markevery=[-1], markersize=5)
        ax.set(title=f"{rows} rows", xlabel="epoch", xlim=(0, None), **scale)
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        if unit == "mean squared error":
            ax.axhline(NOISE**2, color=plot.GREY, linewidth=1, linestyle=":", label="noise")
    axes[0].set_ylabel(f"loss ({unit})")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(name)
    for label, h in runs.items():
        end, best = h["validation_loss"][-1], min(h["validation_loss"])
        print(f"{label}: training {h['loss'][-1]:.3f}, validation {end:.3f} at the end, {best:.3f} at best")


rows, new, deep = wave(300, seed=0), wave(300, seed=1), (1, *[32] * 6, 1)
models = gd.MLP(1, 1, seed=0), gd.MLP(1, 32, 32, 1, seed=0), gd.MLP(*deep, seed=0)
line, small, trained = (train("mse", rows, new, model, 150, gd.Adam(lr=gd.Cosine(0.01))) for model in models)
failed = train("mse", rows, new, gd.MLP(*deep, activation="sigmoid", seed=0), 150, gd.SGD(lr=gd.Cosine(0.01)))
scale = {"unit": "mean squared error", "ticks": (0.03, 0.1, 0.3, 1, 3), "yscale": "log"}
title, name = "Model bias: the bigger model has a much smaller training loss", PICTURE.stem + "-bias"
draw({"a line": line, "32-32": small}, title, PICTURE.with_stem(name), **scale)
runs = {"32-32": small, "six layers, sigmoid, SGD": failed, "six layers, ReLU, Adam": trained}
title = "Failed optimization: the bigger model has the larger training loss, until it is trained better"
draw(runs, title, PICTURE.with_stem(PICTURE.stem + "-optimization"), **scale)

X, y = gd.datasets.digits()
X, new, big = X / 16, (X[1000:] / 16, y[1000:]), (64, 128, 128, 10)  # new: by other writers
dropout = gd.Sequential(gd.Dropout(0.2), *gd.MLP(*big, dropout=0.5).stack, seed=0)  # on pixels and hidden units


def digits(n, model=None, decay=0.0, callbacks=()):
    data, model, optimizer = (X[:n], y[:n]), model or gd.MLP(*big, seed=0), gd.AdamW(lr=0.002, weight_decay=decay)
    return train("cross_entropy", data, new, model, 200, optimizer, callbacks)


early = digits(100, callbacks=[gd.EarlyStopping(patience=10)])
runs = {"100 rows": digits(100), "weight decay": digits(100, decay=0.3), "early stopping": early}
runs |= {"dropout": digits(100, dropout), "1,000 rows": digits(1000)}
title, scale = "Overfitting: the training loss keeps falling, the validation loss does not", {"ylim": (0, 1)}
draw(runs, title, PICTURE, "cross-entropy, nat", np.linspace(0, 1, 6), **scale)
