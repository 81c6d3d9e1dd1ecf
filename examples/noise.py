"""Dropout, noise and shifted images against overfitting on 1,000 digits, evaluated on digits of other writers.

Run: python noise.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd

X, y = gd.datasets.digits()
X = X / 16  # pixels from 0 to 1
SEEDS, EPOCHS = range(3), 40


def shift(batch, rng):
    """Shift each image by up to 0.3 pixels along each axis, by linear interpolation."""
    images = batch.reshape(-1, 8, 8)
    for axis in (1, 2):
        by = rng.uniform(-0.3, 0.3, (len(images), 1, 1))
        edges = np.pad(images, [(0, 0), (int(axis == 1),) * 2, (int(axis == 2),) * 2])
        before, after = edges.take(range(8), axis), edges.take(range(2, 10), axis)
        images = np.where(by > 0, (1 - by) * images + by * before, (1 + by) * images - by * after)
    return images.reshape(batch.shape)


def accuracy(seed, noise=0.0, dropout=0.0, augment=None):
    """Accuracy on digits of other writers, never trained on."""
    hidden = gd.Dense(64, 128, "relu"), gd.Dropout(dropout), gd.Dense(128, 128, "relu"), gd.Dropout(dropout)
    model = gd.Sequential(gd.GaussianNoise(noise), *hidden, gd.Dense(128, 10), seed=seed)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.Adam(lr=gd.Cosine(0.003)), batch_size=32)
    trainer.fit(X[:1000], y[:1000], EPOCHS, verbose=0, augment=augment)
    return (model.predict(X[1000:]) == y[1000:]).mean()


runs = {
    "nothing": {},
    "Dropout(0.2)": {"dropout": 0.2},
    "GaussianNoise(0.2)\non the pixels": {"noise": 0.2},
    "shifts": {"augment": shift},
    "dropout, noise\nand shifts": {"dropout": 0.2, "noise": 0.2, "augment": shift},
}
accuracies = {name: [100 * accuracy(seed, **remedies) for seed in SEEDS] for name, remedies in runs.items()}
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for row, (name, percent) in enumerate(accuracies.items()):
    print(f"{' '.join(name.split())}: accuracy {np.mean(percent):.1f} % ({min(percent):.1f} to {max(percent):.1f})")
    ax.plot(percent, [row] * len(percent), "o", color="tab:gray", markersize=5)
    ax.plot(np.mean(percent), row, "|", color="tab:blue", markersize=28, markeredgewidth=3)
ax.set(xlabel="accuracy on new digits, % (dots: runs with different seeds, bars: their mean)")
ax.grid(axis="x", alpha=0.3)
ax.set_yticks(range(len(accuracies)), accuracies)
ax.invert_yaxis()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "noise.png", dpi=150)
