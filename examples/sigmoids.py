"""A curve as a sum of sigmoids: y = b + sum_i c_i f(b_i + w_i x), the network with one hidden layer.

A line is too simple a model for most data: whatever w and b are, it does not bend (model bias).  The remedy is to add
up steps.  A sigmoid f is a smooth step, moved by b_i, made steeper by w_i and scaled by c_i; a hard sigmoid is the same
step made of three straight pieces.  Enough of either approximate any continuous curve to any accuracy (Cybenko,
"Approximation by superpositions of a sigmoidal function", 1989).  Gradient descent finds all 3 n + 1 parameters.

One sees the terms c_i f(b_i + w_i x), each a step, and that their sum follows the curve through its noise; and that
the distance from the true curve falls as terms are added, until the noise of the 300 points limits it.  It does not
fall evenly: gradient descent ends in whatever minimum it meets, and hard sigmoids, which are flat where they do not
rise, stay in poor ones more often.

Run: python sigmoids.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="sigmoids.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)


def curve(x):
    """The true curve, which the network sees only through noise."""
    return np.sin(2 * x) + 0.4 * x


NOISE = 0.1
random = np.random.default_rng(options.seed)
x = random.uniform(-3, 3, 300)
y = curve(x) + random.normal(0, NOISE, x.size)


def fit(activation, units):
    """A network with one hidden layer, whose steps are at equal distances along x before the training."""
    model = gd.MLP(1, units, 1, activation=activation, seed=options.seed)
    slope, centers = 2.0, np.linspace(-3, 3, units + 2)[1:-1]
    model.parameters()["0.weight"][:] = slope
    model.parameters()["0.bias"][:] = -slope * centers
    optimizer = gd.Adam(lr=gd.Cosine(0.05))
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=50, seed=options.seed, n_threads=1)
    trainer.fit(x[:, None], y, epochs=1000, verbose=0)
    return model


def terms(model, x):
    """c_i f(b_i + w_i x) of each hidden unit, shape (rows, units)."""
    return model.activations(x[:, None])[0] * model.parameters()["1.weight"][:, 0]


def error(model):
    """Root mean squared distance from the true curve."""
    return np.sqrt(np.mean((model.predict(grid[:, None]) - curve(grid)) ** 2))


grid = np.linspace(-3, 3, 400)
kinds = {"sigmoid": ("sigmoids", 8, plot.BLUE), "hard_sigmoid": ("hard sigmoids", 16, plot.GREEN)}  # drawn: 8 and 16
counts = 1, 2, 3, 4, 6, 8, 12, 16
figure, axes = plt.subplots(1, 3, figsize=(14, 4.4))
for ax, (activation, (name, drawn, color)) in zip(axes, kinds.items(), strict=False):
    models = {units: fit(activation, units) for units in counts}
    errors = [error(model) for model in models.values()]
    print(f"{name}: error {', '.join(f'{e:.3f} ({n})' for n, e in zip(counts, errors, strict=True))}")
    ax.plot(x, y, ".", color=plot.GREY, alpha=0.5, markersize=4, label="data")
    ax.plot(grid, terms(models[drawn], grid), color=plot.ORANGE, linewidth=0.8, alpha=0.8)
    ax.plot([], [], color=plot.ORANGE, linewidth=0.8, label="the terms")
    ax.plot(grid, models[drawn].predict(grid[:, None]), color=color, linewidth=2.2, label="b + their sum")
    ax.set(title=f"A curve as a sum of {drawn} {name}", xlabel="x", ylabel="y")
    axes[2].plot(counts, errors, "o-", color=color, linewidth=1.8, markersize=5, label=name)
    if activation == "sigmoid":
        result = errors[counts.index(drawn)]
axes[2].axhline(NOISE, color=plot.GREY, linewidth=1, linestyle=":", label="noise of a point")
axes[2].set(title="Distance from the true curve", xlabel="number of terms", ylabel="root mean squared error")
axes[2].set_ylim(0, None)
for ax in axes:
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3)
figure.savefig(options.picture)
print(f"result: error of 8 sigmoids {result:.4f}")
