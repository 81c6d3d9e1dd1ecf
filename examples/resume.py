"""A run that is stopped in the middle of an epoch, saved, loaded and finished ends in the bits of one that never was.

On the way: callbacks, a checkpoint, a log, and the history.
Run: python resume.py [picture.png]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import fastgd as gd
from fastgd import callbacks, plot

X, y = gd.datasets.digits()
X = X / 16  # pixels from 0 to 1
EPOCHS, STOP = 30, 500  # steps


def trainer():
    model = gd.MLP(64, 64, 10, dropout=0.2, seed=0)
    optimizer = gd.AdamW(lr=gd.Warmup(gd.Cosine(0.005), 1), average=gd.EMA(0.99))
    return gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, seed=0)


def watchers():
    """Callbacks remember things, so each run has its own."""
    return [gd.EarlyStopping(patience=20), gd.ReduceLROnPlateau(patience=5)]


whole = trainer()
whole.fit(X, y, EPOCHS, validation=0.2, callbacks=watchers(), verbose=0)

with TemporaryDirectory() as folder:
    checkpoint, log = Path(folder, "run.npz"), Path(folder, "run.csv")
    first = trainer()
    budget, logger = callbacks.StepBudget(STOP), callbacks.CSVLogger(log)
    first.fit(X, y, EPOCHS, validation=0.2, callbacks=[*watchers(), budget, logger], verbose=0)
    first.save(checkpoint)
    print(f"stopped after {first.step} steps, {first.epoch} whole epochs: {first.stop_reason}")
    rows, size = len(log.read_text().splitlines()) - 1, checkpoint.stat().st_size
    print(f"the log has {rows} rows, the checkpoint {size:,} bytes")

    second = gd.Trainer.load(checkpoint)  # in real life: another day, another machine
    second.fit(X, y, epochs=None, validation=0.2, callbacks=watchers(), verbose=0)

assert (second.model.theta == whole.model.theta).all()
assert (second.averaged.theta == whole.averaged.theta).all()
assert second.history["validation_loss"] == whole.history["validation_loss"]
accuracy, stopped = second.history["validation_accuracy"][-1], second.stop_reason or "as planned"
print(f"the same bits after {second.step} steps: accuracy {accuracy:.1%}; ended {stopped}")

figure = plot.curves(second.history, title="One run in two parts: nothing shows where it was cut (dashed)")
for ax in figure.axes:
    ax.axvline(EPOCHS * STOP / second.step, color=plot.GREEN, linestyle="--", linewidth=1)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "resume.png", dpi=150)
