"""A run that is stopped in mid-epoch, saved, loaded and resumed gives the same bits as an uninterrupted run.

Also shows callbacks, a checkpoint, a log and the history.
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


def make_trainer():
    model = gd.MLP(64, 64, 10, dropout=0.2, seed=0)
    optimizer = gd.AdamW(lr=gd.Warmup(gd.Cosine(0.005), 1), average=gd.EMA(0.99))
    return gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, seed=0)


def make_callbacks():
    """New callbacks for each run, as they have state."""
    return [gd.EarlyStopping(patience=20), gd.ReduceLROnPlateau(patience=5)]


uninterrupted = make_trainer()
uninterrupted.fit(X, y, EPOCHS, validation=0.2, callbacks=make_callbacks(), verbose=0)

with TemporaryDirectory() as folder:
    checkpoint, log = Path(folder, "run.npz"), Path(folder, "run.csv")
    first = make_trainer()
    budget, logger = callbacks.StepBudget(STOP), callbacks.CSVLogger(log)
    first.fit(X, y, EPOCHS, validation=0.2, callbacks=[*make_callbacks(), budget, logger], verbose=0)
    first.save(checkpoint)
    print(f"stopped after {first.step} steps, {first.epoch} whole epochs: {first.stop_reason}")
    rows, size = len(log.read_text().splitlines()) - 1, checkpoint.stat().st_size
    print(f"the log has {rows} rows, the checkpoint {size:,} bytes")

    second = gd.Trainer.load(checkpoint)  # possibly on another machine
    second.fit(X, y, epochs=None, validation=0.2, callbacks=make_callbacks(), verbose=0)

assert (second.model.theta == uninterrupted.model.theta).all()
assert (second.averaged.theta == uninterrupted.averaged.theta).all()
assert second.history["validation_loss"] == uninterrupted.history["validation_loss"]
accuracy, stopped = second.history["validation_accuracy"][-1], second.stop_reason or "as planned"
print(f"the same bits after {second.step} steps: accuracy {accuracy:.1%}; ended {stopped}")

figure = plot.curves(second.history, title="One run in two parts, resumed at the dashed line")
for ax in figure.axes:
    ax.axvline(EPOCHS * STOP / second.step, color=plot.GREEN, linestyle="--", linewidth=1)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "resume.png", dpi=150)
