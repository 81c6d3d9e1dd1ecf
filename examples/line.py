"""A line y = b + w x fitted by gradient descent: the three steps of machine learning, on the least that can be learned.

A model is a function with unknown parameters, here w and b.  A loss says how bad a choice of them is on the training
data; here it is the mean of (y_pred - y)^2.  Gradient descent goes downhill from a guess, by steps of the learning
rate times the slope, until the parameters hardly move (Cauchy, "Méthode générale pour la résolution des systèmes
d'équations simultanées", 1847).  This loss is a bowl with one lowest point, so the line found is that of least squares.

Run: python line.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import callbacks, plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="line.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)

# 1. A model with unknown parameters: y = b + w x.
model = gd.MLP(1, 1)
w, b = model.parameters()["0.weight"], model.parameters()["0.bias"]
w[:], b[:] = -1.5, 4.0  # the initial guess

# 2. A loss over the training data: noisy points around y = 1 + 2 x.
random = np.random.default_rng(options.seed)
x = random.uniform(0, 2, 60)
y = 1 + 2 * x + random.normal(0, 0.4, x.size)


def loss(w, b):
    """Mean squared error of the lines with parameters w, b (of any shape)."""
    return np.mean((b[..., None] + w[..., None] * x - y) ** 2, axis=-1)


# 3. Optimization: theta <- theta - lr * gradient, until no parameter changes by more than a tolerance.
path = [model.theta.copy()]


class Path(gd.Callback):
    """Record theta = (w, b) after each step: with batch_size=None, an epoch is a single step on all rows."""

    def on_epoch_end(self, trainer, logs):
        path.append(trainer.model.theta.copy())


trainer = gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=0.1), batch_size=None)
trainer.fit(x[:, None], y, epochs=1000, callbacks=[Path(), callbacks.ParameterTolerance(1e-4)], verbose=0)
least_squares = np.polyfit(x, y, 1)  # the same line by solving two linear equations: possible for a line only
print(f"gradient descent: y = {b[0]:.3f} + {w[0, 0]:.3f} x after {trainer.epoch} steps ({trainer.stop_reason})")
print(f"least squares:    y = {least_squares[1]:.3f} + {least_squares[0]:.3f} x")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
ends = np.array([0.0, 2.0])
left.plot(x, y, ".", color=plot.GREY, label="data")
for step, color in zip((0, 2, 5, 15), plt.get_cmap("YlOrRd")(np.linspace(0.3, 0.9, 4)), strict=True):
    (w_then, b_then) = path[step]
    left.plot(ends, b_then + w_then * ends, color=color, label=f"after {step} steps")
left.plot(ends, model.predict(ends[:, None]), color=plot.BLUE, linewidth=2, label=f"after {trainer.epoch} steps")
left.set(title="The line y = b + w x", xlabel="x", ylabel="y", ylim=(0, 7.5))
left.legend(ncol=2, loc="upper left")
plot.loss_surface(loss, path, names=("w", "b"), ax=right, title="Loss L(w, b) and the path of (w, b)")
figure.savefig(options.picture)
print(f"result: distance from the least-squares line {np.abs(model.theta - least_squares).max():.4f}")
