"""Chapter 7, do it again: one to four hidden layers with the same number of parameters.

Run: python depth.py [folder for the pictures]
"""

# [data]
import numpy as np

import fastgd as gd


def spirals(rows, seed):
    """Points of two spirals, wound one and a half times around each other, and which one each belongs to."""
    rng = np.random.default_rng(seed)
    turns = 1.5 * np.sqrt(rng.uniform(0.02, 1, rows))  # as many points per length everywhere
    y = rng.integers(0, 2, rows)
    angle = 2 * np.pi * turns + np.pi * y
    X = turns[:, None] / 0.75 * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + rng.normal(0, 0.04, X.shape), y


X, y = spirals(1000, seed=0)
X_new, y_new = spirals(2000, seed=1)
# [end]

# [fit]
shapes = {1: (2, 160, 2), 2: (2, 25, 25, 2), 3: (2, 18, 18, 18, 2), 4: (2, 15, 15, 15, 15, 2)}


def fit(widths, seed):
    model = gd.MLP(*widths, activation="tanh", seed=seed)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.Adam(lr=gd.Cosine(0.01)), batch_size=100, seed=seed)
    trainer.fit(X, y, epochs=200, verbose=0)
    return model


models = {depth: [fit(widths, seed) for seed in range(5)] for depth, widths in shapes.items()}
for depth, of_seeds in models.items():
    scores = [np.mean(model.predict(X_new) == y_new) for model in of_seeds]
    print(f"{depth}: {of_seeds[0].size} parameters, accuracy {np.mean(scores):.3f} +- {np.std(scores):.3f}")
# [end]

from style import BLUE, ORANGE, panels, save

figure, axes = panels(4, 2.3, 3.0, sharey=True)
side = np.linspace(-2.2, 2.2, 150)
grid = np.stack(np.meshgrid(side, side), axis=-1)
for ax, (depth, of_seeds) in zip(axes, models.items(), strict=True):
    scores = [np.mean(model.predict(X_new) == y_new) for model in of_seeds]
    model = of_seeds[int(np.argsort(scores)[2])]  # the median of the five
    chance = model.predict_proba(grid.reshape(-1, 2).astype("float32"))[:, 1].reshape(150, 150)
    regions = ax.contourf(side, side, chance, levels=[-0.1, 0.5, 1.1], colors=[BLUE, ORANGE], alpha=0.25)
    regions.set_rasterized(True)
    for label, color in ((0, BLUE), (1, ORANGE)):
        ax.plot(*X[y == label].T, ".", color=color, markersize=2, rasterized=True)
    layers = f"{depth} hidden layer" + "s" * (depth > 1)
    ax.set(title=f"{layers}: {np.median(scores):.1%}", xlabel="$x_1$", ylabel="$x_2$" if depth == 1 else "")
    ax.set_aspect("equal")
save(figure, "depth")
