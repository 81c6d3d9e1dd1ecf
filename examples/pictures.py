"""Plots of a network: decision regions, the path of theta over the loss, outputs of layers, weights.

Run: python pictures.py [picture.png], which also makes picture-outputs.png and picture-weights.png.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import callbacks, plot

plt.style.use(plot.STYLE)
PICTURE = Path(sys.argv[1] if len(sys.argv) > 1 else "pictures.png")


def spirals(rows, seed, arms=3):
    """Points (rows, 2) on spiral arms, and the index of the arm of each point."""
    rng = np.random.default_rng(seed)
    arm, radius = np.arange(rows) % arms, np.sqrt(rng.uniform(0.02, 1, rows))
    angle = 2 * np.pi * arm / arms + 4 * radius + 0.35 * rng.normal(size=rows)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), arm


X, y = spirals(600, seed=0)
new = spirals(150, seed=1)
path = []
model = gd.MLP(2, 32, 32, 3, activation="tanh", seed=0)
trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.Adam(lr=gd.Cosine(0.01)), seed=0)
record = callbacks.EveryStep(lambda trainer: path.append(trainer.model.theta.copy()), n=57)
history = trainer.fit(X, y, epochs=300, validation=new, callbacks=[record], verbose=0)
print(f"three spirals: validation accuracy {history['validation_accuracy'][-1]:.1%}")

figure, axes = plt.subplots(1, 3, figsize=(15, 4.6))
plot.curve(history, ax=axes[0], title="Loss per epoch")
plot.decision_regions(model, X, y, ax=axes[1], title="Decision regions")
plot.landscape(model, X, y, loss="cross_entropy", path=path, points=81, ax=axes[2], title="Path of theta over the loss")
figure.savefig(PICTURE)
plot.activations(model, X).savefig(PICTURE.with_stem(PICTURE.stem + "-outputs"))

images, digits = gd.datasets.digits()
classifier = gd.MLP(64, 16, 10, activation="tanh", seed=0)
optimizer = gd.AdamW(lr=0.01, weight_decay=0.3)  # removes the initial noise from the weights of blank pixels
gd.Trainer(classifier, loss="cross_entropy", optimizer=optimizer, seed=0).fit(images / 16, digits, 40, verbose=0)
print(f"digits: accuracy {(classifier.predict(images / 16) == digits).mean():.1%}")
plot.weights(classifier, title="Weights of 16 units of the first layer").savefig(
    PICTURE.with_stem(PICTURE.stem + "-weights")
)
