"""A custom loss: a network that predicts mean and variance of y, trained by the likelihood of a normal distribution.

The loss is a Python function (Z, Y) -> (loss, dZ); everything else works as with a built-in loss.
Run: python gaussian.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)


def normal(Z, Y):
    """Mean of -log N(y; mean, e^s) up to a constant, and its gradient by Z = (mean, s), where s is the log variance."""
    mean, s = Z[:, 0], Z[:, 1]
    error, precision = mean - Y, np.exp(-s)
    loss = 0.5 * (s + error**2 * precision).mean()
    dZ = np.stack([error * precision, 0.5 * (1 - error**2 * precision)], axis=1)
    return loss, dZ / len(Z)


def spread(x):
    """The true standard deviation of the noise at x."""
    return 0.1 + 0.5 / (1 + np.exp(-3 * x))


random = np.random.default_rng(0)
x = random.uniform(-3, 3, 1500)
y = np.sin(2 * x) + spread(x) * random.normal(size=x.size)

model = gd.MLP(1, 64, 64, 2, activation="tanh", seed=0)
optimizer = gd.Adam(lr=gd.Cosine(0.01))
trainer = gd.Trainer(model, loss=normal, optimizer=optimizer, batch_size=100, seed=0)
history = trainer.fit(x[:, None], y, epochs=150, validation=0.2, verbose=0)

grid = np.linspace(-3, 3, 300)
Z = model.predict(grid[:, None])
mean, deviation = Z[:, 0], np.exp(Z[:, 1] / 2)
inside = (abs(y - np.interp(x, grid, mean)) < 2 * np.interp(x, grid, deviation)).mean()
print(f"validation loss {history['validation_loss'][-1]:.3f}; {inside:.1%} of the points within 2 deviations")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
left.plot(x, y, ".", color=plot.GREY, alpha=0.5, markersize=4, label="data")
band = {"color": plot.BLUE, "alpha": 0.2, "linewidth": 0, "label": "mean ± 2 deviations"}
left.fill_between(grid, mean - 2 * deviation, mean + 2 * deviation, **band)
left.plot(grid, mean, color=plot.BLUE, linewidth=2.2, label="mean")
left.set(title=f"Mean and spread ({inside:.1%} inside)", xlabel="x", ylabel="y", ylim=(-2.5, 3.2))
left.legend(ncol=3, loc="upper left")
right.plot(grid, spread(grid), "--", color=plot.GREY, label="true")
right.plot(grid, deviation, color=plot.BLUE, linewidth=2.2, label="predicted")
right.set(title="Standard deviation of the noise", xlabel="x", ylabel="deviation", ylim=(0, None))
right.legend()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "gaussian.png")
