"""docs/performance/README.md and its figures, from results.json."""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from . import figures, late, loops, partition
from .peers import CONTENDERS, PREDICTORS, TRAINERS
from .summary import Best, Result, best, bytes_of, failures, fastest_peer, microseconds, share, table
from .targets import targets

HEAD = """# Performance

fastgd compared with the limits of the machine and with its peers, as measured by `python -m benchmarks`: {machine}.
All raw results are in [results.json](results.json).
"""

METHOD = """## How it was measured

- A *step* includes everything: gathering the batch from shuffled rows, forward, loss, backward, update. Every
  contender starts from the same theta and reads the same batches in float32 (`Trainer.fit`: its own order). Before it
  is timed, its theta after a few steps must agree with the NumPy engine in float64 to 1 % of theta's movement.
- Each contender runs in its own process, on one thread (pinned to one CPU) and on all, and gets a turn of {seconds:g} s
  in each of {rounds} rounds. The median of the rounds at the better number of threads is reported. Compilation and
  conversion of the data are not timed.
- *Peak* is the rate of a loop of fused multiply-adds in registers ([peak.c](../../benchmarks/peak.c)) on all CPUs, the
  best of about a dozen runs before and after each race. Only the products count as operations: 2 per weight and row in
  each of forward, dX and dW (no dX for the first layer).
- Peers are written as users write them (PyTorch eager, Keras `fit`, scikit-learn, a jitted step in JAX) and as experts
  do (PyTorch with its fused optimizer, without autograd, compiled; whole epochs in one jitted loop of JAX or
  TensorFlow; NumPy with preallocated buffers): [benchmarks/peers](../../benchmarks/peers).
- The benchmarks are part of the repository, not of the wheel: in a checkout, `pip install ".[bench]"`, then
  `python -m benchmarks` on an otherwise idle machine.
"""


def write(results: Result, folder: Path) -> str:
    """Write README.md and the figures of the measured sections; returns the text of README.md."""
    parts = [_head(results), "\n".join(_targets(results))]
    for name, section in SECTIONS.items():
        if name in results:
            parts.append("\n".join(section(results[name])))
            figures.draw(name, results, folder)
    (folder / "many-cores.md").write_text(partition.report(results["limits"], results.get("training")))
    parts += ["## Many cores\n\n[many-cores.md](many-cores.md): what 16, 64 and 128 cores would compute, simulated."]
    parts.append(METHOD.format(**results["settings"]))
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    (folder / "README.md").write_text(text)
    return text


def _targets(results: Result) -> Iterator[str]:
    lines = list(targets(results))
    met = sum(line.is_met for line in lines)
    yield f"## Targets\n\n{met} of {len(lines)} are met; those in bold are not.\n"
    yield from table(
        ("what", "target", "reached"),
        [(one.what, one.target, one.reached if one.is_met else f"**{one.reached}**") for one in lines],
    )


def _head(results: Result) -> str:
    facts, limits = results["machine"], results["limits"]
    versions = ", ".join(f"{name} {facts[name]}" for name in list(facts)[3:])
    dates = sorted(results["dates"].values())
    rows = [(f"FMA, {dtype}", "GFLOP/s", *rates.values()) for dtype, rates in limits["fma"].items()]
    rows += [(f"read and write, {level}", "GB/s", *rates.values()) for level, rates in limits["bandwidth"].items()]
    header = ("limit", "unit", *(f"{n} thread{'s' * (n != '1')}" for n in limits["fma"]["float32"]))
    lines = table(header, [(what, unit, *(f"{rate:,.0f}" for rate in rates)) for what, unit, *rates in rows])
    machine = f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['system']}, {dates[0][:10]}"
    return "\n".join([HEAD.format(machine=machine), f"Versions: {versions}.", "", *lines])


def _training(section: Result) -> Iterator[str]:
    yield "## Training\n"
    yield "Microseconds per step, and by which factor fastgd is faster than others.\n"
    yield from table(
        (
            "workload",
            "fastgd, µs",
            "GFLOP/s",
            "of peak",
            "fastest peer",
            "its µs",
            "faster by",
            "than PyTorch eager",
        ),
        [_training_row(result) for result in section.values() if "fastgd" in best(result)],
    )
    yield "\n![Microseconds per step of every contender](training.svg)\n"
    yield "All contenders, µs per step (threads of the better run):\n"
    yield from table(
        ("contender", *section),
        [
            (CONTENDERS[name].label, *(_cell(best(result).get(name)) for result in section.values()))
            for name in TRAINERS
            if any(name in best(result) for result in section.values())
        ],
    )
    yield "\nThe speed of each step compared with the limits of the machine:\n"
    yield "![Roofline](roofline.svg)"
    failed = {f"{task}, {key}: {why}" for task, result in section.items() for key, why in failures(result).items()}
    yield from ["", "Failed:", "", *(f"- {line}" for line in sorted(failed))] if failed else []


def _training_row(result: Result) -> tuple[str, ...]:
    ours, peer, eager = best(result)["fastgd"], fastest_peer(result), best(result).get("torch")
    rate = result["flops"] / ours.seconds / 1e9
    return (
        result["title"],
        microseconds(ours.seconds),
        f"{rate:.3g}",
        f"{share(result, ours.seconds):.0%}",
        peer.label if peer else "",
        microseconds(peer.seconds) if peer else "",
        f"**{peer.seconds / ours.seconds:.2f}**" if peer else "",
        f"{eager.seconds / ours.seconds:.1f}" if eager else "",
    )


def _cell(one: Best | None) -> str:
    return f"{microseconds(one.seconds)} ({one.threads})" if one else ""


def _comparisons(section: Result) -> Iterator[str]:
    yield "## Other rules, activations and dtypes\n"
    rows = []
    for base, group in section.items():
        plain = best(group[base])["fastgd"].seconds
        for name, result in group.items():
            seconds = best(result)["fastgd"].seconds
            title = result["title"] if name == base else f"the same, {name}"
            cost = "" if name == base else f"{seconds / plain:.2f}"
            rows.append((title, microseconds(seconds), cost, f"{share(result, seconds):.0%}"))
    yield from table(("workload", "µs per step", "times the first", "of its dtype's peak"), rows)


def _predictions(section: Result) -> Iterator[str]:
    yield "## Prediction\n"
    for name, results in section.items():
        yield f"\nµs per call of `predict` by number of rows, network of *{name}*:\n"
        yield from table(
            ("contender", *(f"{result['rows']:,}" for result in results)),
            [
                (CONTENDERS[who].label, *(_cell(best(result).get(who)) for result in results))
                for who in PREDICTORS
                if any(who in best(result) for result in results)
            ],
        )
    yield "\n![Time of a prediction by rows](prediction.svg)"


def _scaling(section: Result) -> Iterator[str]:
    yield "## Scaling\n"
    yield "Training of n-n-10 at batch 128 and of 256-256-10 at any batch; GFLOP/s of a whole step.\n"
    yield "![GFLOP/s by width and by batch](scaling.svg)\n"
    for what in ("width", "batch"):
        yield f"\nBy {what}, fastgd:\n"
        results = [result for result in section[what] if "fastgd" in best(result)]
        yield from table(
            ("network", "µs per step", "1 thread", "GFLOP/s", "of peak", "times the fastest peer"),
            [_scaling_row(result) for result in results],
        )
    yield "\nBy threads, fastgd alone:\n"
    counts = list(dict.fromkeys(key.split("/")[1] for result in section["threads"] for key in result["runs"]))
    yield from table(
        ("workload, µs per step by number of threads", *counts),
        [
            (result["title"], *(microseconds(median(run["seconds"])) for run in result["runs"].values()))
            for result in section["threads"]
        ],
    )
    yield "\n`Trainer.fit` on memory-mapped rows of 64 uint8 columns (64-64-10, batch 32), with checks and shuffling:\n"
    yield from table(
        ("rows", *(f"{row['rows']:,}" for row in section["rows"])),
        [("ns per row", *(f"{row['seconds'] * 1e9:.0f}" for row in section["rows"]))],
    )


def _scaling_row(result: Result) -> tuple[str, ...]:
    ours, peer = best(result)["fastgd"].seconds, fastest_peer(result)
    one = {"runs": {key: run for key, run in result["runs"].items() if key == "fastgd/1"}}
    rate = f"{result['flops'] / ours / 1e9:.3g}"
    ratio = f"{peer.seconds / ours:.2f}" if peer else ""
    alone = microseconds(best(one)["fastgd"].seconds)
    return result["title"], microseconds(ours), alone, rate, f"{share(result, ours):.0%}", ratio


def _loops(section: Result) -> Iterator[str]:
    yield "## Custom training loops\n"
    yield "µs per call, 64-64-10, batch 32, one thread; backward computes the gradient of theta alone:\n"
    yield from table(
        ("contender", *loops.PARTS),
        [
            (name, *(microseconds(parts[part]) if part in parts else "" for part in loops.PARTS))
            for name, parts in section.items()
        ],
    )


def _late(section: Result) -> Iterator[str]:
    yield "## Late epochs\n"
    yield f"µs per epoch, {late.HIDDEN} hidden units, batch {late.BATCH}, one thread: after {late.EARLY} epochs,"
    yield "and when training has converged and many weights no longer get a gradient. The ratio is the median over"
    yield "pairs of blocks that were measured one after the other.\n"
    yield from table(
        ("data, optimizer", "early", "late", "after epochs", "late / early"),
        [
            (name, *map(microseconds, (one["early"], one["late"])), one["epochs"], f"{one['ratio']:.2f}")
            for name, one in section.items()
        ],
    )


def _footprints(section: Result) -> Iterator[str]:
    yield "## Memory, import, size\n"
    yield "What training needs besides the data and the model:\n"
    yield from table(
        ("workload", "needed", "activations of one batch, twice", "theta"),
        [
            (name, *(bytes_of(one[key]) for key in ("workspace", "activations", "theta")))
            for name, one in section["memory"].items()
        ],
    )
    yield "\n"
    rows = [(f"import {name}", f"{seconds * 1e3:.0f} ms") for name, seconds in section["import"].items()]
    size = section["size"]
    rows += [(f"fastgd, {what}", bytes_of(size[what])) for what in ("wheel", "wheel, unpacked") if what in size]
    rows += [(f"{name}, installed", bytes_of(taken)) for name, taken in size["installed"].items()]
    yield from table(("what", "needs"), rows)
    yield "\nImports are in a fresh process after NumPy's, with a warm disk; packages without their dependencies."


SECTIONS: dict[str, Callable[[Any], Iterator[str]]] = {
    "training": _training,
    "comparisons": _comparisons,
    "predictions": _predictions,
    "scaling": _scaling,
    "footprints": _footprints,
    "loops": _loops,
    "late": _late,
}
