"""Attacks on a classifier, and a training that resists them.

The gradient of the loss by the inputs says how each pixel must change for the loss to grow.  FGSM takes one step of
size eps in the direction of its sign (Goodfellow, Shlens & Szegedy, "Explaining and harnessing adversarial examples",
ICLR 2015); PGD takes many smaller ones and stays within eps of the image (Madry et al., "Towards deep learning models
resistant to adversarial attacks", ICLR 2018).  A targeted attack descends on the loss of the label that it wants.
Adversarial training, from the same paper, makes each step on images that PGD has just found against the model.

One sees that noise of the same size does nothing, that attacks break the usual model, and how much adversarial training
helps; its price is some accuracy on clean images.  Pixels range from 0 to 1, and eps is the largest change of any.

Run: python attack.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="attack.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)

X, y = gd.datasets.digits()
order = rng.permutation(len(X))
X, y = (X[order] / 16).astype("float32"), y[order]
X_new, y_new = X[1297:], y[1297:]
X, y = X[:1297], y[:1297]


def noise(model, X, y, eps):
    return np.clip(X + eps * rng.choice([-1, 1], X.shape), 0, 1)


def fgsm(model, X, y, eps):
    return np.clip(X + eps * np.sign(model.input_gradient(X, y, "cross_entropy")), 0, 1)


def pgd(model, X, y, eps, steps=20, targeted=False):
    """Up the loss of the labels y, or down if these are the labels that the attack wants."""
    lower, upper = np.maximum(X - eps, 0), np.minimum(X + eps, 1)
    attacked, stride = np.clip(X + rng.uniform(-eps, eps, X.shape), lower, upper), 2.5 * eps / steps
    for _ in range(steps):
        slope = np.sign(model.input_gradient(attacked, y, "cross_entropy"))
        attacked = np.clip(attacked + (-stride if targeted else stride) * slope, lower, upper)
    return attacked


def train(eps, epochs=60):
    """Adversarial training against PGD of five steps; without attack if eps is 0."""
    model = gd.MLP(64, 128, 128, 10, seed=seed)
    optimizer = gd.AdamW(lr=gd.Cosine(0.003, epochs=epochs * 20), weight_decay=0.01)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=optimizer)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(X)), 20):
            trainer.train_on_batch(pgd(model, X[rows], y[rows], eps, steps=5) if eps else X[rows], y[rows])
    return model


def accuracy(model, X):
    return (model.forward(X).argmax(axis=1) == y_new).mean()


EPS = 0.15  # of the adversarial training and of the examples
WANTED = (y_new + 1) % 10  # of the targeted attack
models = {"usual training": train(0), "adversarial training": train(EPS)}
attacks = {"noise": (noise, ":"), "FGSM": (fgsm, "--"), "PGD": (pgd, "-")}
figure = plt.figure(figsize=(11, 4.8))
left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
ax, rows = left.subplots(), iter(right.subplots(5, 6))


def show(name, images, seen, color):
    """Draw the next row of images, each under its digit and the one that the model sees."""
    panels = next(rows)
    panels[0].set_ylabel(name, color=color, fontsize=9)
    for panel, image, true, digit in zip(panels, images, y_new, seen, strict=False):
        panel.imshow(image.reshape(8, 8), vmin=0, vmax=1)
        panel.set_title(f"{true} → {digit}", fontsize=9, color="black" if digit == true else "red")
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(True)


sizes = np.linspace(0, 0.3, 13)
show("clean", X_new, models["usual training"].forward(X_new).argmax(axis=1), "black")
for color, (name, model) in zip((plot.ORANGE, plot.BLUE), models.items(), strict=True):
    curves = {}
    for attack, (change, style) in attacks.items():
        curves[attack] = [100 * accuracy(model, change(model, X_new, y_new, eps)) for eps in sizes]
        ax.plot(sizes, curves[attack], style, color=color, linewidth=1.8, label=f"{name}, {attack}")
    changed = {"PGD": pgd(model, X_new, y_new, EPS), "targeted": pgd(model, X_new, WANTED, EPS, targeted=True)}
    hits = (model.forward(changed["targeted"]).argmax(axis=1) == WANTED).mean()
    print(
        f"{name}: accuracy {curves['PGD'][0]:.1f} %; at eps {EPS} under noise {curves['noise'][6]:.1f} %, under FGSM "
        f"{curves['FGSM'][6]:.1f} %, under PGD {curves['PGD'][6]:.1f} %; a wanted wrong digit in {hits:.1%}"
    )
    for attack, images in changed.items():
        show(attack, images, model.forward(images).argmax(axis=1), color)
right.suptitle(f"True digit → predicted digit (red: wrong), eps = {EPS}", fontsize=11)
ax.axvline(EPS, color=plot.GREY, linewidth=1)
ax.annotate("eps in training", (EPS, 102), xytext=(4, 0), textcoords="offset points", color=plot.GREY)
ax.set(xlabel="eps, largest change of a pixel", ylabel="accuracy on 500 new digits, %", xlim=(0, 0.3), ylim=(0, 107))
ax.legend(loc="lower left", fontsize="small")
figure.savefig(arguments.picture)
print(f"result: accuracy under PGD after adversarial training {curves['PGD'][6] / 100:.3f}")
