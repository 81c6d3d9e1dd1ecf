"""python -m benchmarks.costs: what each training option costs, in % of the plain step.

The plain step is SGD on mnist-big, ReLU, cross-entropy; each option changes one thing. Each turn is measured between
two plain turns, and the lower quartile of the turns is compared with that of these plain turns, so that other load on
the machine has little influence.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import fastgd as gd
from fastgd.activations import ACTIVATIONS

from .summary import table
from .workloads import WORKLOADS

WORKLOAD, STEPS = WORKLOADS["mnist-big"], 16
ROWS = STEPS * WORKLOAD.batch
LR = 1e-3
ALL: dict[str, Any] = {
    "clip_norm": 1.0,
    "clip_value": 0.1,
    "l1": 1e-6,
    "max_norm": 4.0,
    "average": gd.EMA(0.99),
    "groups": {"*.bias": {"lr": 2.0}},
}

BESIDES_RULE: dict[str, dict[str, Any]] = {
    "`sample_weight`": {"sample_weight": np.linspace(0.5, 1.5, ROWS)},
    **{f"`{name}`": {"optimizer": gd.SGD(LR, **{name: ALL[name]})} for name in ("clip_value", "clip_norm")},
    "`grad_norm=True`": {"grad_norm": True},
    **{f"`{name}`": {"optimizer": gd.SGD(LR, **{name: ALL[name]})} for name in ("l1", "groups", "max_norm")},
    "`EMA`": {"optimizer": gd.SGD(LR, average=ALL["average"])},
    "`SWA`": {"optimizer": gd.SGD(LR, average=gd.SWA(start=1))},
    "`accumulate=4`, per batch": {"accumulate": 4},
    "`clip_norm`, `clip_value`, `l1`, `max_norm`, `EMA` and `groups` together": {"optimizer": gd.SGD(LR, **ALL)},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "`SGD`": {},
    "`SGD`, momentum": {"optimizer": gd.SGD(LR, momentum=0.9)},
    "`RMSprop`": {"optimizer": gd.RMSprop(1e-5)},
    "`RMSprop`, momentum": {"optimizer": gd.RMSprop(1e-5, momentum=0.9)},
    "`RMSprop`, centred": {"optimizer": gd.RMSprop(1e-5, centered=True)},
    "`Adagrad`": {"optimizer": gd.Adagrad(1e-5)},
    "`Adadelta`": {"optimizer": gd.Adadelta(1e-3)},
    "`Adam`": {"optimizer": gd.Adam(1e-5)},
    "`Adam`, AMSGrad": {"optimizer": gd.Adam(1e-5, amsgrad=True)},
    "`AdamW`": {"optimizer": gd.AdamW(1e-5)},
    "`NAdam`": {"optimizer": gd.NAdam(1e-5)},
    "`RAdam`": {"optimizer": gd.RAdam(1e-5)},
    "`Lion`": {"optimizer": gd.Lion(1e-6)},
    "`Muon`": {"optimizer": gd.Muon(1e-5)},
}
LAYERS: dict[str, dict[str, Any]] = {
    **{f"`{name}`": {"activation": name} for name, f in ACTIVATIONS.items() if not f.rowwise and name != "relu"},
    '`output="softmax"`': {"output": "softmax"},
    "`dropout=0.5`": {"dropout": 0.5},
}
TABLES = {"besides SGD": BESIDES_RULE, "optimizer": OPTIMIZERS, "instead of ReLU": LAYERS}


def trainer_of(options: dict[str, Any], n_threads: int) -> gd.Trainer:
    model = {name: options[name] for name in ("activation", "output", "dropout") if name in options}
    settings = {name: options[name] for name in ("grad_norm", "accumulate") if name in options}
    return gd.Trainer(
        gd.MLP(*WORKLOAD.widths, seed=0, **model),
        loss="cross_entropy",
        optimizer=options.get("optimizer", gd.SGD(LR)).copy(),
        batch_size=WORKLOAD.batch,
        n_threads=n_threads,
        **settings,
    )


class Run:
    """A training to time."""

    def __init__(self, X: Any, y: Any, options: dict[str, Any], n_threads: int) -> None:
        self._data, self._weight = (X, y), options.get("sample_weight")
        self._trainer = trainer_of(options, n_threads)

    def turn(self) -> float:
        """Train for one epoch; returns the seconds."""
        begun = time.perf_counter()
        self._trainer.fit(*self._data, epochs=1, sample_weight=self._weight, verbose=0)
        return time.perf_counter() - begun


def costs(options: dict[str, dict[str, Any]], n_threads: int, rounds: int) -> dict[str, float]:
    """Extra time per step for each option, relative to the plain step."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((ROWS, WORKLOAD.widths[0])).astype("float32"), rng.integers(10, size=ROWS)
    plain, runs = Run(X, y, {}, n_threads), {name: Run(X, y, some, n_threads) for name, some in options.items()}
    turns: dict[str, list[tuple[float, float, float]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            turn = plain.turn(), run.turn(), plain.turn()
            if number > 0:  # the first round warms up the memory
                turns[name].append(turn)
    return {name: _quartile(found, 1) / _quartile(found, (0, 2)) - 1 for name, found in turns.items()}


def _quartile(turns: list[tuple[float, float, float]], columns: Any) -> float:
    return float(np.quantile(np.array(turns)[:, columns], 0.25))


def report(threads: list[int], rounds: int) -> Iterator[str]:
    """The tables of docs/optimizers.md and docs/activations.md."""
    for title, options in TABLES.items():
        found = [costs(options, n, rounds) for n in threads]
        rows = [(name, *(f"{100 * one[name]:.0f} %".replace("-", "−") for one in found)) for name in options]
        yield from table((title, *(f"threads: {n}" for n in threads)), rows)
        yield ""


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.costs", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    for line in report(arguments.threads, arguments.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
