"""Chapter 3, local minima: where gradient descent stops, and how momentum carries on.

Run: python momentum.py [folder for the pictures]
"""

# [data]
import numpy as np

import fastgd as gd

x = np.array([8.0, 0.5, 0.6, 0.7, 0.8])
y = np.array([-0.3, 0.8, 0.85, 0.9, 0.9])


def L(w):
    """The mean squared error of the model y = tanh(w x)."""
    return np.mean((np.tanh(w * x) - y) ** 2)


# [end]


# [descend]
def descend(momentum, steps=200):
    """The value of w before the first step and after each one."""
    model = gd.Sequential(gd.Dense(1, 1, "tanh", bias=False), dtype="float64")
    model.theta = [-1.5]
    path = [-1.5]
    optimizer = gd.SGD(lr=0.03, momentum=momentum)
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=None)
    record = gd.callbacks.EveryStep(lambda trainer: path.append(trainer.model.theta[0]))
    trainer.fit(x[:, None], y, epochs=steps, callbacks=[record], verbose=0)
    return np.array(path)


for momentum in (0.0, 0.9):
    w = descend(momentum)[-1]
    print(f"momentum {momentum}: w = {w:.1f}, loss {L(w):.3f}")
# [end]

# [by hand]
eta, mu = 0.03, 0.9
w, v = -1.5, 0.0
for step in range(200):
    a = np.tanh(w * x)
    g = np.mean(2 * (a - y) * (1 - a**2) * x)  # dL/dw
    v = mu * v + g
    w = w - eta * v
print(f"by hand: w = {w:.1f}")
# [end]

from style import BLUE, GREY, ORANGE, panels, save, tidy

figure, (left, right) = panels(2, 3.6)
grid = np.linspace(-1.8, 3.2, 300)
left.plot(grid, [L(w) for w in grid], color=GREY, label="L(w)")
plain, heavy = descend(0.0), descend(0.9)
left.plot(plain, [L(w) for w in plain], ".", color=ORANGE, label="momentum 0")
left.plot(heavy, [L(w) + 0.09 for w in heavy], ".", color=BLUE, label="momentum 0.9 (raised)")
left.annotate("local minimum", (plain[-1], 0.61), (-0.9, 0.28), arrowprops={"arrowstyle": "->", "color": GREY})
left.annotate("global minimum", (2.1, 0.32), (1.2, 0.1), arrowprops={"arrowstyle": "->", "color": GREY})
tidy(left, "Two descents from w = -1.5", "w", "loss", "upper right", ylim=(0, 2.5), xlim=(-2, 4))
right.plot(plain, color=ORANGE, label="momentum 0")
right.plot(heavy, color=BLUE, label="momentum 0.9")
tidy(right, "w during the first 120 steps", "step", "w", "center right", xlim=(0, 120))
save(figure, "momentum")
