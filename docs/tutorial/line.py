"""Chapter 1, a line by hand: the model y = b + w x, its loss L(b, w), gradient descent.

Run: python line.py [folder for the pictures]
"""

# [data]
import numpy as np

rng = np.random.default_rng(0)
x = rng.uniform(0, 2, 60)
y = 1 + 2 * x + rng.normal(0, 0.4, 60)
# [end]


# [loss]
def L(b, w):
    """The mean squared error of the line y = b + w x on the training data."""
    return np.mean((b + w * x - y) ** 2)


print(L(b=4.0, w=-1.5), L(b=1.0, w=2.0))
# [end]


# [gradient]
def gradient(b, w):
    """The partial derivatives dL/db and dL/dw."""
    e = b + w * x - y
    return np.mean(2 * e), np.mean(2 * e * x)


# [end]

# [descent]
eta = 0.1  # the learning rate
b, w = 4.0, -1.5  # the initial guess
path = [(w, b)]
for step in range(200):
    db, dw = gradient(b, w)
    b, w = b - eta * db, w - eta * dw
    path.append((w, b))

print(f"y = {b:.3f} + {w:.3f} x, loss {L(b, w):.4f}")
# [end]

# [fastgd]
import fastgd as gd

model = gd.MLP(1, 1, dtype="float64")  # one input, one output, nothing in between: y = b + w x
model.theta = [-1.5, 4.0]  # w, b
trainer = gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=0.1), batch_size=None)
trainer.fit(x[:, None], y, epochs=200, verbose=0)
print(model.theta)  # [w, b]
# [end]

# [exact]
print(np.polyfit(x, y, 1))  # [w, b] of least squares
# [end]

from style import BLUE, GREEN, GREY, ORANGE, contours, panels, save, tidy

figure, (left, right) = panels(2, 3.6)
left.plot(x, y, ".", color=GREY, alpha=0.6, label="data")
ends = np.array([0, 2])
for step, color in ((0, ORANGE), (3, "#E69F00"), (20, GREEN), (200, BLUE)):
    w_then, b_then = path[step]
    left.plot(ends, b_then + w_then * ends, color=color, label=f"step {step}")
tidy(left, "The line during the descent", "x", "y", "upper left", ylim=(0, 7.6))
left.legend(loc="upper left", ncols=2)
contours(right, L, (-0.5, 4.5), (-2, 4), np.array([0.17, 0.25, 0.5, 1, 2, 4, 8, 16, 32]))
right.plot(*np.transpose(path), ".-", color=ORANGE, markersize=4, linewidth=1, label="one dot per step")
right.plot(*path[0], "o", color="white", markeredgecolor=ORANGE, label="initial guess")
right.plot(*path[-1], "*", color=BLUE, markersize=11, label="after 200 steps")
tidy(right, "The loss L(b, w) and the path downhill", "w", "b", "upper right")
save(figure, "line")

figure, axes = panels(2, 3.6)
for ax, name, at in ((axes[0], "w", -1.5), (axes[1], "b", 4.0)):
    cut = (lambda t: L(4.0, t)) if name == "w" else (lambda t: L(t, -1.5))
    slope = gradient(4.0, -1.5)[name == "w"]
    grid = np.linspace(at - 2.2, at + 3.2, 100) if name == "w" else np.linspace(at - 3.2, at + 2.2, 100)
    ax.plot(
        grid, [cut(t) for t in grid], color=BLUE, label="b = 4 held fixed" if name == "w" else "w = -1.5 held fixed"
    )
    near = at + np.array([-0.9, 0.9])
    ax.plot(near, cut(at) + slope * (near - at), color=ORANGE, label=f"slope {slope:+.2f}")
    ax.plot(at, cut(at), "o", color="white", markeredgecolor=ORANGE)
    ax.annotate(
        "", (at - 0.3 * np.sign(slope) - 0.1 * slope, 0.4), (at, 0.4), arrowprops={"arrowstyle": "->", "color": GREY}
    )
    tidy(ax, f"The loss over {name} alone", name, "loss", "upper center", ylim=(0, 25))
save(figure, "line-slopes")
