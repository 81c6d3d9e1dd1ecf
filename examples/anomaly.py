"""Anomaly detection: a network that was trained to copy normal rows copies others badly, and its error reveals them.

An autoencoder squeezes a row through a layer that is too narrow for all of it, and restores what it can (Rumelhart,
Hinton & Williams, "Learning internal representations by error propagation", 1986).  It is trained on normal rows alone,
so it learns what these have in common and spends its few numbers on the ways in which they differ.  A row with other
regularities does not come back: its reconstruction error is the score (Hawkins et al., "Outlier detection using
replicator neural networks", 2002).  No label is used in training.

Two tests, compared with scikit-learn's IsolationForest (Liu, Ting & Zhou, 2008) and the distance from the mean:

- digits: each of the ten is left out once.  The networks see 1,000 images less those of one digit, and the images of
  that digit are to be found among the remaining ones;
- breast cancer: the network sees 250 benign tumours, and the malignant ones are to be found among the others.

The area under the ROC curve is the probability that an anomaly has a higher score than a normal row: 0.5 for a guess.
Normal digits have a structure, which the autoencoder alone learns.  Malignant tumours are simply larger in most
measurements than benign ones, and the distance from the mean finds them as well as anything.

Run: python anomaly.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="anomaly.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)
random = np.random.default_rng(options.seed)


def autoencoder(X, *hidden, noise, **settings):
    """A network trained to restore rows from noisy ones: noise keeps it from learning to copy pixel by pixel."""
    copier = gd.MLP(X.shape[1], *hidden, X.shape[1], seed=options.seed, **settings)
    model = gd.Sequential(gd.GaussianNoise(noise), *copier.stack, seed=options.seed)
    optimizer = gd.Adam(lr=gd.Cosine(0.003))
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=32, seed=options.seed, n_threads=1)
    trainer.fit(X, X, epochs=100, verbose=0)
    return model


def scores(model, X, X_new):
    """Anomaly scores of new rows by an autoencoder and by two other methods, all fitted to rows X."""
    return {
        "autoencoder": np.mean((model.predict(X_new) - X_new) ** 2, axis=1),
        "IsolationForest": -IsolationForest(random_state=options.seed).fit(X).score_samples(X_new),
        "distance from the mean": np.mean((X_new - X.mean(axis=0)) ** 2, axis=1),
    }


images, y = gd.datasets.digits()
images = (images / 16).astype("float32")  # pixels from 0 to 1
known = random.permutation(len(images)) < 1000
colors = {"autoencoder": plot.BLUE, "IsolationForest": plot.ORANGE, "distance from the mean": plot.GREY}
areas, models = {name: [] for name in colors}, []
for digit in range(10):
    new, training = ~known | (y == digit), images[known & (y != digit)]
    models.append(autoencoder(training, 128, 16, 128, noise=0.1))
    for name, score in scores(models[digit], training, images[new]).items():
        areas[name].append(roc_auc_score(y[new] == digit, score))
for name, area in areas.items():
    print(f"digits, {name}: mean ROC AUC {np.mean(area):.3f} ({', '.join(f'{a:.2f}' for a in area)} for 0 to 9)")

X, benign = load_breast_cancer(return_X_y=True)
rows = random.permutation(np.flatnonzero(benign))
mean, deviation = X[rows[:250]].mean(axis=0), X[rows[:250]].std(axis=0)
X = (X - mean) / deviation
new = np.concatenate([rows[250:], np.flatnonzero(benign == 0)])
tumours = scores(autoencoder(X[rows[:250]], 30, noise=1.0, activation="tanh"), X[rows[:250]], X[new])
for name, score in tumours.items():
    print(f"breast cancer, {name}: ROC AUC {roc_auc_score(benign[new] == 0, score):.3f}")

figure = plt.figure(figsize=(15, 4.6))
left, middle, right = figure.subfigures(1, 3, width_ratios=(1, 1.1, 1))
ax = left.subplots()
for name, color in colors.items():
    ax.plot(range(10), areas[name], "o", color=color, markersize=7, label=f"{name}: mean {np.mean(areas[name]):.2f}")
ax.axhline(0.5, color=plot.GREY, linewidth=1, linestyle=":", label="guessing")
ax.set(title="A digit that was not in the training", xlabel="the digit", ylabel="area under the ROC curve")
ax.set(xticks=range(10), ylim=(0, 1.02))
ax.legend(loc="lower left")

digit = 4
middle.suptitle(f"By the network that has not seen a {digit}")
panels = middle.subplots(3, 4)
shown = [*random.permutation(np.flatnonzero(~known & (y != digit)))[:2], *np.flatnonzero(y == digit)[:2]]
for column, image in zip(panels.T, images[shown], strict=True):
    restored = models[digit].predict(image[None])[0]
    column[0].imshow(image.reshape(8, 8), vmin=0, vmax=1)
    column[1].imshow(restored.reshape(8, 8), vmin=0, vmax=1)
    column[2].imshow((restored - image).reshape(8, 8), cmap="RdBu_r", vmin=-1, vmax=1)
    column[2].set_xlabel(f"{np.mean((restored - image) ** 2):.3f}")
for ax, text in zip(panels[:, 0], ("image", "restored", "difference\nand score"), strict=True):
    ax.set_ylabel(text)
for ax in panels.flat:
    ax.set(xticks=[], yticks=[])

ax = right.subplots()
for name, color in colors.items():
    false, true, _ = roc_curve(benign[new] == 0, tumours[name])
    area = roc_auc_score(benign[new] == 0, tumours[name])
    ax.plot(100 * false, 100 * true, color=color, linewidth=2, label=f"{name}: area {area:.3f}")
ax.plot([0, 100], [0, 100], ":", color=plot.GREY, linewidth=1, label="guessing")
ax.set(title="Malignant among benign tumours", xlabel="benign reported, %", ylabel="malignant found, %")
ax.legend(loc="lower right")
figure.savefig(options.picture)
print(f"result: mean ROC AUC of ten left-out digits {np.mean(areas['autoencoder']):.4f}")
