"""Chapter 8, overfitting and its cures.

Run: python overfitting.py [folder for the pictures]
"""

# [data]
import numpy as np

import fastgd as gd


def sample(rows, seed):
    """Noisy points of a curve: no model can have a smaller expected loss on new ones than 0.3^2 = 0.09."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, rows)
    return x[:, None], np.sin(2 * x) + rng.normal(0, 0.3, rows)


X, y = sample(12, seed=0)  # few rows to train on
validation = sample(200, seed=1)  # rows to judge by
# [end]


# [fit]
def fit(model, data=(X, y), weight_decay=0.0, callbacks=()):
    optimizer = gd.AdamW(lr=0.005, weight_decay=weight_decay)
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=10, seed=0)
    trainer.fit(*data, epochs=3000, validation=validation, callbacks=callbacks, verbose=0)
    return trainer


def big(**options):
    return gd.MLP(1, 100, 100, 1, seed=0, **options)


runs = {
    "no remedy": fit(big()),
    "200 rows": fit(big(), data=sample(200, seed=2)),
    "early stopping": fit(big(), callbacks=[gd.EarlyStopping(patience=1000)]),
    "weight decay": fit(big(), weight_decay=0.1),
    "4 units": fit(gd.MLP(1, 4, 1, seed=0)),
    "dropout": fit(big(dropout=0.1)),
}
# [end]

# [compare]
for name, trainer in runs.items():
    loss = trainer.evaluate(*validation)["loss"]
    print(f"{name}: training {trainer.evaluate(X, y)['loss']:.3f}, validation {loss:.3f}")
# [end]

from style import BLUE, GREEN, GREY, ORANGE, panels, save, tidy

figure, (left, right) = panels(2, 3.6)
grid = np.linspace(-2, 2, 400)
left.plot(grid, np.sin(2 * grid), color=GREY, linewidth=4, alpha=0.3, label="true curve")
left.plot(X, y, "o", color=GREY, markersize=4, label="12 training rows")
for name, color in (("no remedy", ORANGE), ("early stopping", BLUE)):
    left.plot(grid, runs[name].model.predict(grid[:, None]), color=color, label=name)
    history = runs[name].history
left.legend(loc="upper left", ncols=2, fontsize=8)
tidy(left, "What was learned", "x", "y", ylim=(-1.7, 2.4))
history = runs["no remedy"].history
epochs, kernel = np.array(history["epoch"]), np.ones(20) / 20
for column, color, name in (("loss", GREEN, "training"), ("validation_loss", ORANGE, "validation")):
    right.loglog(epochs[19:], np.convolve(history[column], kernel, "valid"), color=color, label=name)
best = int(np.argmin(history["validation_loss"]))
right.axvline(epochs[best], color=GREY, linewidth=0.8, linestyle=":", label="best epoch")
right.axhline(0.09, color=GREY, linewidth=0.8, label="noise")
right.set_yticks([0.01, 0.03, 0.1, 0.3, 1], ["0.01", "0.03", "0.1", "0.3", "1"])
right.minorticks_off()
tidy(right, "The loss without a remedy", "epoch", "mean squared error", "lower left")
save(figure, "overfitting")
