"""Overfitting: accurate on the training rows, less so on new ones.  The same network without and with remedies.

Run: python digits.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt

import fastgd as gd
from fastgd import plot

X, y = gd.datasets.digits()
X = X / 16  # pixels from 0 to 1
X_new, y_new = X[1000:], y[1000:]  # other writers, never trained on


def train(rows, optimizer, callbacks=()):
    """Train the same network on the first rows; return the history and the accuracy on new rows."""
    model = gd.MLP(64, 128, 128, 10, activation="relu", seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=32, seed=0)
    history = trainer.fit(X[:rows], y[:rows], 60, validation=(X_new, y_new), callbacks=callbacks, verbose=0)
    return history, (model.predict(X_new) == y_new).mean()


runs = {
    "Overfitting on 100 rows": train(100, gd.Adam(lr=0.005)),
    "1,000 rows, weight decay, early stopping": train(
        1000, gd.AdamW(lr=0.005, weight_decay=0.1), [gd.EarlyStopping(patience=10)]
    ),
}
figure, axes = plt.subplots(1, len(runs), figsize=(11, 4.4), sharey=True, layout="constrained")
for ax, (name, (history, accuracy)) in zip(axes, runs.items(), strict=True):
    print(f"{name}: training loss {history['loss'][-1]:.4f}, accuracy on new rows {accuracy:.1%}")
    plot.curve(history, ax=ax, title=f"{name}\naccuracy on new rows {accuracy:.1%}")
    ax.set(yscale="linear", ylim=(0, 1.2))
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "digits.png", dpi=150)
