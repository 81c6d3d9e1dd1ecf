"""Chapter 4, a line cannot bend: a curve as a sum of hard sigmoids, of sigmoids, of ReLUs, and all of it as matrices.

Run: python bend.py [folder for the pictures]
"""

# [data]
import numpy as np

import fastgd as gd

rng = np.random.default_rng(0)


def curve(x):
    return np.sin(2 * x) + 0.4 * x


x = rng.uniform(-3, 3, 300)
y = curve(x) + rng.normal(0, 0.1, 300)
# [end]

# [line]
w, b = np.polyfit(x, y, 1)
print(f"the best line, y = {b:.2f} + {w:.2f} x, has the loss {np.mean((b + w * x - y) ** 2):.3f}")
# [end]


# [hard]
def hard_sigmoid(z):
    """0 up to z = -3, then a straight rise, 1 from z = 3 on."""
    return np.clip(z + 3, 0, 6) / 6


knots = np.linspace(-3, 3, 11)  # the ends of ten pieces
middle, width = (knots[:-1] + knots[1:]) / 2, np.diff(knots)
w, b = 6 / width, -6 * middle / width  # each hard sigmoid rises within one piece ...
c, b0 = np.diff(curve(knots)), curve(knots[0])  # ... by as much as the curve does


def pieces(x):
    """The constant b0 plus ten hard sigmoids."""
    return b0 + sum(c_i * hard_sigmoid(b_i + w_i * x) for c_i, b_i, w_i in zip(c, b, w, strict=True))


print(np.abs(pieces(knots) - curve(knots)).max())  # at the knots it is the curve
print(np.abs(pieces(x) - curve(x)).max())  # between them it is near
# [end]

# [relu]
z = np.linspace(-6, 6, 1000)
relu = lambda z: np.maximum(z, 0)
print(np.abs(relu(z + 3) / 6 - relu(z - 3) / 6 - hard_sigmoid(z)).max())
# [end]


# [fit]
def fit(activation, units, seed=0):
    """A sum of `units` functions, fitted by gradient descent; at first they are spread over the range of x."""
    model = gd.MLP(1, units, 1, activation=activation, seed=seed)
    parameters = model.parameters()
    parameters["0.weight"][:] = slopes = np.where(np.arange(units) % 2, -2.0, 2.0)
    parameters["0.bias"][:] = -slopes * np.linspace(-3, 3, units + 2)[1:-1]
    trainer = gd.Trainer(model, loss="mse", optimizer=gd.Adam(lr=gd.Cosine(0.03)), batch_size=50, seed=seed)
    trainer.fit(x[:, None], y, epochs=500, verbose=0)
    return model


models = {name: fit(name, 10) for name in ("hard_sigmoid", "sigmoid", "relu")}
grid = np.linspace(-3, 3, 200)
for name, model in models.items():
    print(f"{name}: loss {np.mean((model.predict(x[:, None]) - y) ** 2):.4f}")
# [end]

# [matrices]
model = models["sigmoid"]
W, b = model.parameters()["0.weight"].T, model.parameters()["0.bias"]  # (10, 1), (10,)
c, b0 = model.parameters()["1.weight"][:, 0], model.parameters()["1.bias"][0]  # (10,), one number

r = b + W @ [0.5]  # ten lines
a = 1 / (1 + np.exp(-r))  # ten sigmoids
print(b0 + c @ a, model.predict([[0.5]])[0])  # their sum, and the same by fastgd
# [end]

from style import BLUE, GREEN, GREY, ORANGE, panels, save, tidy

figure, (left, middle, right) = panels(3, 3.0, 3.2)
left.plot(x, y, ".", color=GREY, alpha=0.4, markersize=3, rasterized=True, label="data")
left.plot(grid, np.polyval(np.polyfit(x, y, 1), grid), color=ORANGE, label="best line")
tidy(left, "Model bias: a line", "x", "y", "upper left", ylim=(-3.2, 3.2))
hard = np.array(
    [
        c_i * hard_sigmoid(b_i + w_i * grid)
        for c_i, b_i, w_i in zip(
            np.diff(curve(knots)), -6 * (knots[:-1] + knots[1:]) / 2 / width, 6 / width, strict=True
        )
    ]
)
middle.plot(grid, hard.T, color=ORANGE, linewidth=0.9)
middle.plot([], [], color=ORANGE, linewidth=0.9, label="ten hard sigmoids")
middle.axhline(curve(knots[0]), color=GREEN, linewidth=0.9, label="a constant")
tidy(middle, "The parts ...", "x", "", "upper left", ylim=(-3.2, 3.2))
right.plot(grid, curve(grid), color=GREY, linewidth=3, alpha=0.4, label="curve")
right.plot(grid, curve(knots[0]) + hard.sum(axis=0), color=BLUE, label="their sum")
right.plot(knots, curve(knots), ".", color=BLUE)
tidy(right, "... and their sum", "x", "", "upper left", ylim=(-3.2, 3.2))
save(figure, "bend")

figure, axes = panels(3, 3.0, 3.2, sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    parts = model.activations(grid[:, None])[0] * model.parameters()["1.weight"][:, 0]
    ax.plot(x, y, ".", color=GREY, alpha=0.3, markersize=3, rasterized=True)
    ax.plot(grid, parts, color=ORANGE, linewidth=0.7)
    ax.plot([], [], color=ORANGE, linewidth=0.7, label="the ten terms")
    ax.plot(grid, model.predict(grid[:, None]), color=BLUE, linewidth=2, label="their sum, plus b")
    tidy(ax, name.replace("_", " "), "x", "y" if ax is axes[0] else "", "upper left", ylim=(-6, 6))
save(figure, "bend-fitted")
