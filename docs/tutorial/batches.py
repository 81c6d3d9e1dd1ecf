"""Chapter 6, batches: all rows, some rows or one row per step.

Run: python batches.py [folder for the pictures]
"""

# [data]
import numpy as np

import fastgd as gd

X, y = gd.datasets.digits()
X = X / 16
# [end]


# [fit]
def fit(batch_size, lr, epochs=20):
    """The history of a training of the same network from the same initial theta."""
    model = gd.MLP(64, 32, 10, seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=lr), batch_size=batch_size, seed=0)
    history = trainer.fit(X, y, epochs=epochs, validation=0.2, verbose=0)
    return history, trainer.step


runs = {"all 1438 rows": fit(None, 0.5), "32 rows": fit(32, 0.1), "1 row": fit(1, 0.01)}
for name, (history, steps) in runs.items():
    accuracy = history["validation_accuracy"][-1]
    print(f"{name}: {steps} steps, loss {history['loss'][-1]:.3f}, validation accuracy {accuracy:.3f}")
# [end]

# [accumulate]
history, steps = fit(None, 0.5, epochs=200)
print(f"all rows, 200 epochs: {steps} steps, loss {history['loss'][-1]:.3f}")
# [end]

from style import BLUE, GREEN, ORANGE, panels, save, tidy

figure, (left, right) = panels(2, 3.6)
for color, (name, (history, steps)) in zip((ORANGE, BLUE, GREEN), runs.items(), strict=True):
    epochs = np.array(history["epoch"])
    left.semilogy(epochs, history["validation_loss"], color=color, label=f"{name} per step")
    right.loglog(epochs * steps / epochs[-1], history["validation_loss"], ".-", color=color, markersize=4)
for ax in (left, right):
    ax.set_ylim(0.08, 5)
    ax.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    ax.minorticks_off()
tidy(left, "By epochs: passes over all rows", "epoch", "validation loss", xlim=(1, 20), xticks=[1, 5, 10, 15, 20])
right.legend(*left.get_legend_handles_labels(), loc="upper right")
tidy(right, "By steps: changes of θ", "step", "")
save(figure, "batches")
