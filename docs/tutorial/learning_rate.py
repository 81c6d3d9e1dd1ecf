"""Chapter 2, the learning rate: too small, right, too large.

Run: python learning_rate.py [folder for the pictures]
"""

# [data]
import numpy as np

import fastgd as gd

rng = np.random.default_rng(0)
x = rng.uniform(0, 2, 60)
y = 1 + 2 * x + rng.normal(0, 0.4, 60)
# [end]


# [descend]
def descend(eta, steps=60):
    """The path of (w, b), shape (steps + 1, 2), and the loss before each step."""
    model = gd.MLP(1, 1, dtype="float64")
    model.theta = [-1.5, 4.0]
    path = [model.theta.copy()]
    trainer = gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=eta), batch_size=None)
    record = gd.callbacks.EveryStep(lambda trainer: path.append(trainer.model.theta.copy()))
    history = trainer.fit(x[:, None], y, epochs=steps, callbacks=[record], verbose=0)
    return np.array(path), history["loss"]


for eta in (0.005, 0.2, 0.45, 0.47):
    path, losses = descend(eta)
    print(f"eta = {eta}: loss {losses[0]:.2f} -> {losses[-1]:.4f}")
# [end]

# [limit]
H = 2 * np.array([[np.mean(x**2), np.mean(x)], [np.mean(x), 1]])  # second derivatives of L with respect to w and b
print(2 / np.linalg.eigvalsh(H).max())
# [end]

from style import BLUE, GREEN, GREY, ORANGE, contours, panels, save, tidy


def L(b, w):
    return np.mean((b + w * x - y) ** 2)


figure, axes = panels(3, 2.9, 2.9, sharey=True)
levels = np.array([0.17, 0.25, 0.5, 1, 2, 4, 8, 16, 32])
for ax, eta, name in zip(axes, (0.005, 0.2, 0.45), ("too small", "right", "almost too large"), strict=True):
    path, _ = descend(eta)
    contours(ax, L, (-2.5, 5), (-3.5, 5), levels)
    ax.plot(*path.T, ".-", color=ORANGE, markersize=4, linewidth=0.9)
    ax.plot(*path[0], "o", color="white", markeredgecolor=ORANGE)
    ax.plot(*np.polyfit(x, y, 1), "*", color=BLUE, markersize=10)
    tidy(ax, f"η = {eta}: {name}", "w", "b" if ax is axes[0] else "")
save(figure, "learning-rate-paths")

figure, ax = panels(1, 5.2)
for eta, color in ((0.005, GREY), (0.2, BLUE), (0.45, GREEN), (0.47, ORANGE)):
    ax.plot(descend(eta)[1], color=color, label=f"η = {eta}")
ax.set_yscale("log")
ax.legend(ncols=2)
tidy(ax, "The loss during 60 steps", "step", "loss", xlim=(0, 60))
save(figure, "learning-rate-losses")
