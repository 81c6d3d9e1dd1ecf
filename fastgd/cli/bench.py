"""`fastgd bench`: how fast networks train on this machine."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from .. import backend
from .._common.checks import INT_MAX
from ..models import MLP
from ..training.trainer import Trainer
from .console import report, report_lines, write
from .options import Help, integer, real

# name: (widths, rows per step, loss)
WORKLOADS = {
    "tiny": ((4, 16, 3), 16, "cross_entropy"),
    "digits": ((64, 64, 10), 32, "cross_entropy"),
    "table": ((32, 128, 64, 1), 256, "mse"),
    "mnist": ((784, 128, 10), 64, "cross_entropy"),
    "mnist-big": ((784, 512, 512, 10), 128, "cross_entropy"),
}
_ROWS = 8192
_EXAMPLES = """\
examples:
  fastgd bench
  fastgd bench --threads 1 --seconds 0.2 --json
  FASTGD_BACKEND=numpy fastgd bench
"""


def add_parser(commands: Any) -> None:
    """Add `bench` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast networks train on this machine",
        description="Train common networks on random rows and print the time of a step: gather, forward, loss, "
        "backward and update. The fastest of several turns counts, which other programs disturb least.",
        epilog=_EXAMPLES,
        formatter_class=Help,
    )
    add = parser.add_argument
    # fmt: off
    add("--seconds", type=real("(0, 600]"), default=0.5, metavar="S",
        help="time for each network (default: %(default)s)")
    add("--threads", type=integer(1, INT_MAX), metavar="N", help="maximum number of threads (default: all processors)")
    add("--dtype", choices=("float32", "float64"), default="float32", metavar="DTYPE",
        help="float32 or float64 (default: %(default)s)")
    add("--json", action="store_true", help="print the times as JSON")
    # fmt: on
    parser.set_defaults(command=bench)


def bench(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    config = backend.config()
    results = {name: _measure(*workload, options) for name, workload in WORKLOADS.items()}
    if options.json:
        write(json.dumps({"config": config, "workloads": results}, indent=2) + "\n")
        return
    engine = config["engine"] if config["isa"] is None else f"{config['engine']} ({config['isa']})"
    report(f"fastgd {config['fastgd']}, {engine}, {options.dtype}, {options.threads or config['threads']} threads")
    lines = [f"  {'network':24} {'batch':>6} {'us per step':>12} {'rows per second':>16} {'GFLOP/s':>8}"]
    for name, result in results.items():
        network = f"{name} {'-'.join(map(str, WORKLOADS[name][0]))}"
        speed = f"{result['us_per_step']:12,.2f} {result['rows_per_second']:16,.0f} {result['gflops']:8.1f}"
        lines.append(f"  {network:24} {result['batch_size']:6} {speed}")
    report_lines(lines)


def _measure(widths: tuple[int, ...], batch: int, loss: str, options: argparse.Namespace) -> dict[str, float]:
    """The time of a step of one network."""
    random = np.random.default_rng(0)
    X = random.normal(size=(_ROWS, widths[0])).astype(options.dtype)
    y = random.integers(0, widths[-1], _ROWS) if loss == "cross_entropy" else X[:, 0]
    model = MLP(*widths, seed=0, dtype=options.dtype)
    trainer = Trainer(model, loss=loss, optimizer="sgd", batch_size=batch, n_threads=options.threads)
    best, end = np.inf, time.perf_counter() + options.seconds
    epochs, steps = 1, -(-_ROWS // batch)
    trainer.fit(X, y, 1, verbose=0)  # the engine chooses its threads
    while time.perf_counter() < end or best == np.inf:
        start = time.perf_counter()
        trainer.fit(X, y, epochs, verbose=0)
        seconds = time.perf_counter() - start
        best = min(best, seconds / (epochs * steps))
        if seconds < options.seconds / 10:
            epochs *= 2
    # two operations for each weight forwards, and four backwards, of which the first layer needs but two
    weights = sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    operations = batch * (6 * weights - 2 * widths[0] * widths[1])
    return {
        "batch_size": batch,
        "us_per_step": best * 1e6,
        "rows_per_second": batch / best,
        "gflops": operations / best / 1e9,
    }
