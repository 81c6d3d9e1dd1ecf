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


X, y = sample(20, seed=0)  # few rows to train on
validation = sample(200, seed=1)  # rows to judge by
# [end]


# [fit]
def fit(model, data=(X, y), weight_decay=0.0, callbacks=()):
    optimizer = gd.AdamW(lr=0.003, weight_decay=weight_decay)
    trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, batch_size=10, seed=0)
    trainer.fit(*data, epochs=3000, validation=validation, callbacks=callbacks, verbose=0)
    return trainer


def big(**options):
    return gd.MLP(1, 100, 100, 1, activation="tanh", seed=0, **options)


runs = {
    "no remedy": fit(big()),
    "early stopping": fit(big(), callbacks=[gd.EarlyStopping(patience=200)]),
    "weight decay": fit(big(), weight_decay=1.0),
    "dropout": fit(big(dropout=0.2)),
    "a small model": fit(gd.MLP(1, 3, 1, activation="tanh", seed=0)),
    "200 rows": fit(big(), data=sample(200, seed=2)),
}
for name, trainer in runs.items():
    loss = trainer.evaluate(*validation)["loss"]
    print(f"{name}: training {trainer.history['loss'][-1]:.3f}, validation {loss:.3f}")
# [end]
