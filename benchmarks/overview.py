"""docs/performance/README.md: all CPUs side by side; and the page of each CPU."""

from pathlib import Path

from . import figures, report, store, subjects
from .summary import Result, table

HEAD = """# Performance

fastgd compared with PyTorch, JAX, TensorFlow, Keras, scikit-learn, NumPy and ONNX Runtime, and with the limits of the
machine, on every CPU on which `python -m benchmarks` has been run. Each column is one CPU; the page linked below it has
all contenders, pictures and raw results.

![How many times faster a training step is than that of the fastest peer](speed-ups.svg)
"""

METHOD = """## How it was measured

- Every contender starts from the same theta and reads the same batches (`Trainer.fit`: in its own order). Before it is
  timed, its theta after a few steps must agree with the NumPy engine in float64 to 1 % of theta's movement.
- Each library runs in its own processes, on one thread (pinned to one CPU) and on all, where a step is large on all
  alone; each contender has a turn of about a tenth of a second in each of five rounds, so that a slow minute of the
  machine affects all of them. Reported is the median of the rounds at the better number of threads. Compiling and
  converting the data are not timed, except in "Time to a goal on data".
- *Peak* is the rate of fused multiply-adds in registers on all cores ([peak.c](../../benchmarks/peak.c)), the best of
  about a dozen runs before and after each race. Only the products count as operations: 2 per weight and row in each of
  forward, dX and dW (no dX for the first layer).
- Peers are written as users write them (eager PyTorch, Keras `fit`, scikit-learn, a jitted step in JAX) and as experts
  do (PyTorch with its fused optimizer, without autograd, compiled; whole epochs in one jitted loop of JAX or
  TensorFlow; NumPy with preallocated buffers): [benchmarks/peers](../../benchmarks/peers).
- To repeat it: in a checkout, on an otherwise idle machine, `pip install ".[bench]"`, then `python -m benchmarks`.
"""


SUBJECTS = (
    subjects.TRAINING,
    subjects.DOUBLES,
    subjects.BF16,
    subjects.CORES,
    subjects.FIT,
    subjects.DATA,
    subjects.PREDICTION,
    subjects.GROWTH,
    subjects.LATE,
    subjects.IMPORTS,
)


def write() -> Path:
    """Write the page of each CPU and the one of all; returns the path of the latter."""
    found = {folder: store.load(folder) for folder in store.folders()}
    for folder, results in found.items():
        report.write(results, folder)
    figures.draw_overview({results["machine"]["cpu"]: results for results in found.values()}, store.REPORT)
    file = store.REPORT / "README.md"
    file.write_text(page({folder.name: results for folder, results in found.items()}))
    return file


def page(found: dict[str, Result]) -> str:
    """The text of the page, from the results by folder."""
    cpus = {results["machine"]["cpu"]: results for results in found.values()}
    lines = [HEAD, *table(("", *cpus), _machines(found)), ""]
    lines += [line for subject in SUBJECTS for line in subject.lines(cpus)]
    last = "\n".join(subjects.TARGETS.lines(cpus)).strip()
    return "\n".join(lines).strip() + f"\n\n{METHOD.strip()}\n" + (f"\n{last}\n" if last else "")


def _machines(found: dict[str, Result]) -> list[tuple[str, ...]]:
    columns = [subjects.machine_rows(results) for results in found.values()]
    labels = dict.fromkeys(label for rows in columns for label in rows)
    rows = [(label, *(column.get(label, subjects.MISSING) for column in columns)) for label in labels]
    return [*rows, ("everything", *(f"[{folder}]({folder}/README.md)" for folder in found))]
