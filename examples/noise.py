"""Dropout, noise and shifted images against overfitting on 1,000 digits, evaluated on digits of other writers.

Run: python noise.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
X, y = gd.datasets.digits()
X = X / 16  # pixels from 0 to 1
SEEDS, EPOCHS = range(3), 40
shift = gd.RandomAffine(translate=(0.04, 0.04), shape=(8, 8))  # by up to 0.3 pixels along each axis


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
figure, ax = plt.subplots(figsize=(8, 4))
for row, (name, percent) in enumerate(accuracies.items()):
    print(f"{' '.join(name.split())}: accuracy {np.mean(percent):.1f} % ({min(percent):.1f} to {max(percent):.1f})")
    places = row + 0.12 * (np.arange(len(SEEDS)) - 1)  # below one another, as some are equal
    ax.plot(percent, places, "o", color=plot.GREY, markersize=5, label="a run" if row == 0 else None)
    ax.plot([np.mean(percent)] * 2, [row - 0.28, row + 0.28], color=plot.BLUE, linewidth=3)
ax.plot([], [], color=plot.BLUE, linewidth=3, label=f"mean of {len(SEEDS)} runs")
ax.set(xlabel="accuracy on digits of other writers, %", ylim=(len(runs) - 0.5, -0.5))
ax.grid(axis="x")
ax.set_yticks(range(len(accuracies)), accuracies)
ax.legend(loc="upper right")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "noise.png")
