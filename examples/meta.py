"""Learning to learn: initial parameters from which a few rows of a new task are enough.

Each task has few rows.  Training from scratch on them fails, and training on all tasks at once learns their mean.  Meta
learning looks for a start from which a few steps on the rows of *one* task lead far:

- Reptile moves the start towards the parameters where the training on a task ends (Nichol, Achiam & Schulman, "On
  first-order meta-learning algorithms", arXiv 1803.02999);
- first-order MAML moves it along the gradient at that end, on other rows of the task (Finn, Abbeel & Levine,
  "Model-agnostic meta-learning for fast adaptation of deep networks", ICML 2017, section 5.2).

Sinusoids: y = a sin(x + b) with a from 0.1 to 5 and b from 0 to pi, from k points.  Digits: name five digits that no
training has seen, from five images of each; the other five, turned and mirrored, are the classes to learn on.  One sees
the curves that follow from ten points, the error for each k, and the accuracy after each step.  On sinusoids, training
from scratch never comes near.  On digits as simple as these it does, in twice the steps that Reptile needs.

Run: python meta.py [picture.png] [--seed N]
"""

import argparse
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="meta.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)


def sinusoid(*sizes):
    """Sets of rows (x, y) of one random sinusoid."""
    amplitude, phase = rng.uniform(0.1, 5), rng.uniform(0, np.pi)
    sets = [rng.uniform(-5, 5, (size, 1)).astype("float32") for size in sizes]
    return [(x, (amplitude * np.sin(x + phase)).astype("float32")) for x in sets]


X, y = gd.datasets.digits()
images, digits = (X / 16).astype("float32").reshape(-1, 8, 8), rng.permutation(10)
UNSEEN = [images[y == digit].reshape(-1, 64) for digit in digits[5:]]
sides = [side for digit in digits[:5] for side in (images[y == digit], images[y == digit][:, ::-1])]
SEEN = [np.rot90(side, turns, (1, 2)).reshape(-1, 64) for side in sides for turns in range(4)]


def five_way(classes, *sizes):
    """Sets of rows (image, label) of five random classes in random order, with `size` rows of each class."""
    chosen = [classes[i][rng.permutation(len(classes[i]))[: sum(sizes)]] for i in rng.permutation(len(classes))[:5]]
    parts = np.split(np.stack(chosen), np.cumsum(sizes)[:-1], axis=1)  # (5, size, 64) each
    return [(part.reshape(-1, 64), np.repeat(np.arange(5), part.shape[1])) for part in parts]


def gradient(model, loss, rows):
    _, dZ = loss.value_and_gradient(model.forward(rows[0]), rows[1])
    model.backward(dZ, input_gradient=False)
    return model.grad


def adapt(model, loss, rows, steps, lr):
    """A copy of the model after some steps of gradient descent on the rows."""
    model, optimizer = model[:], gd.SGD(lr=lr)
    for _ in range(steps):
        gradient(model, loss, rows)
        optimizer.step(model)
    return model


def reptile(model, loss, draw, lr, tasks=2000, pace=1):
    for i in range(tasks):
        model.copy_parameters(adapt(model, loss, draw(10)[0], 10, lr), tau=pace * (1 - i / tasks))


def maml(model, loss, draw, lr, tasks=5000, pace=1, batch=4):
    optimizer = gd.Adam(lr=0.003 * pace)
    for _ in range(tasks // batch):
        total = np.zeros_like(model.grad)
        for _ in range(batch):
            support, query = draw(10, 10)
            total += gradient(adapt(model, loss, support, 5, lr), loss, query) / batch
        model.grad[:] = total
        optimizer.step(model)


def joint(model, loss, draw, lr, tasks=3000):
    """The usual training, on rows of all tasks."""
    optimizer = gd.Adam(lr=0.001)
    for _ in range(tasks):
        gradient(model, loss, draw(10)[0])
        optimizer.step(model)


mse, cross_entropy = gd.losses.get("mse"), gd.losses.get("cross_entropy")
METHODS = {"from scratch": None, "all tasks at once": joint, "MAML, first order": maml, "Reptile": reptile}
COLORS = plot.GREY, plot.GREEN, plot.ORANGE, plot.BLUE
SHOTS, STEPS, N_TASKS = (1, 2, 5, 10, 20), (0, 1, 2, 4, 8, 16, 32), 100
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2))
(example,), line = sinusoid(10), np.linspace(-5, 5, 200, dtype="float32")[:, None]


def error(model, k):
    """The mean squared error on 100 new sinusoids, after training on k points."""
    errors = []
    for support, (x, y) in (sinusoid(k, 100) for _ in range(N_TASKS)):
        errors.append(np.square(adapt(model, mse, support, 32, 0.01).forward(x) - y).mean())
    return np.mean(errors)


def accuracies(model):
    """The mean accuracy on 100 choices of labels for the unseen digits, from 5 images of each, after each of STEPS."""
    shares = np.zeros(len(STEPS))
    for support, (X, y) in (five_way(UNSEEN, 5, 15) for _ in range(N_TASKS)):
        adapted = model
        for place, more in enumerate(np.diff(STEPS, prepend=0)):
            adapted = adapt(adapted, cross_entropy, support, more, 0.1)
            shares[place] += (adapted.forward(X).argmax(axis=1) == y).mean()
    return 100 * shares / N_TASKS


for color, (name, learn) in zip(COLORS, METHODS.items(), strict=True):
    style = {"color": color, "linewidth": 1.8, "label": name}
    model = gd.MLP(1, 64, 64, 1, activation="tanh", seed=seed)
    if learn:
        learn(model, mse, sinusoid, 0.01)
    left.plot(line, adapt(model, mse, example, 32, 0.01).forward(line), **style)
    errors = [error(model, k) for k in SHOTS]
    middle.plot(SHOTS, errors, "o-", **style)
    print(f"{name}: squared error " + ", ".join(f"{e:.2f} from {k} points" for k, e in zip(SHOTS, errors, strict=True)))
    if learn is joint:
        continue  # labels are drawn anew in each task: all tasks at once teach nothing
    model = gd.MLP(64, 128, 5, seed=seed)
    if learn:
        learn(model, cross_entropy, partial(five_way, SEEN), 0.1, pace=0.2)
    percent = accuracies(model)
    right.plot(STEPS, percent, "o-", **style)
    print(f"{name}: accuracy " + ", ".join(f"{p:.0f} % after {n} steps" for n, p in zip(STEPS, percent, strict=True)))
left.plot(example[0], example[1], "o", color="black", markersize=5, label="the 10 points")
left.set(title="A new sinusoid, after 32 steps on ten points", xlabel="x", ylabel="y")
middle.set(title="New sinusoids, after 32 steps", xlabel="points, k", ylabel="mean squared error")
middle.set(xscale="log", yscale="log")
middle.set_xticks(SHOTS, SHOTS)
middle.minorticks_off()
right.set(title="Five new digits, 5 images of each", xlabel="steps", ylabel="accuracy, %")
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
figure.savefig(arguments.picture)
print(f"result: squared error of Reptile from ten points {errors[SHOTS.index(10)]:.3f}")
