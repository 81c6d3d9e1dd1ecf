"""The performance targets, and whether results.json meets them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .peers import PREDICTORS
from .summary import Best, Result, best, bytes_of, fastest_peer, microseconds, share


class Speed(NamedTuple):
    """Minimum for a workload: factor over the fastest peer; share of all CPUs' peak; factor over PyTorch eager."""

    peer: float
    share: float | None = None
    eager: float | None = None


SPEEDS = {
    "tiny": Speed(7, eager=200),
    "digits": Speed(2.6, 0.45),
    "tabular": Speed(2, 0.75),
    "mnist": Speed(1.6, 0.80),
    "mnist-big": Speed(1.4, 0.90),
    "wide": Speed(1.15, 0.90),
}
# Maximum cost relative to the plain workload; minimum share of the dtype's own peak.
COSTS = {
    ("mnist-big", "momentum"): 1.15,
    ("mnist-big", "Adam"): 1.15,
    ("tabular", "sigmoid"): 1.10,
    ("tabular", "tanh"): 1.10,
}
SHARES = {("mnist-big", "float64"): 0.85}
ONE_ROW = {"fastgd": 3e-6, "fastgd-buffer": 1.5e-6}  # seconds to predict one row, 64-64-10
PREDICTION_SHARE = 0.80  # where arithmetic dominates
COMPUTE_BOUND_ROWS = 1000
IMPORT_SECONDS, WHEEL_BYTES, FLATNESS, MEMORY = 0.020, 1e6, 1.25, 1.0
LOOP = {"forward": 3e-6, "loss": 3e-6, "backward": 4e-6, "step": 3e-6, "total": 12e-6}  # seconds, 64-64-10, batch 32
LATE = 1.10  # seconds per epoch after convergence, relative to those of an early epoch
MIN_MEMORY = 1e6  # bytes; below, thread stacks and page granularity dominate


@dataclass(frozen=True)
class Target:
    """What was measured, its target and the measured value."""

    what: str
    target: str
    reached: str
    is_met: bool


def targets(results: Result) -> Iterator[Target]:
    """The targets whose section was measured."""
    for section, compare in SECTIONS.items():
        if section in results:
            yield from compare(results[section])


def _at_least(what: str, target: float, reached: float, form: str) -> Target:
    return Target(what, f"≥ {form.format(target)}", form.format(reached), reached >= target)


def _at_most(what: str, target: float, reached: float, form: str) -> Target:
    return Target(what, f"≤ {form.format(target)}", form.format(reached), reached <= target)


def _training(section: Result) -> Iterator[Target]:
    for name, speed in SPEEDS.items():
        field = best(section[name]) if name in section else {}
        if "fastgd" not in field:
            continue
        ours, peer, eager = field["fastgd"].seconds, fastest_peer(section[name]), field.get("torch")
        if peer:
            yield _times(f"{name}: times the fastest peer", speed.peer, peer, ours)
        if eager and speed.eager:
            yield _times(f"{name}: times PyTorch eager", speed.eager, eager, ours)
        if speed.share:
            yield _at_least(f"{name}: share of peak", speed.share, share(section[name], ours), "{:.0%}")


def _times(what: str, target: float, other: Best, ours: float) -> Target:
    return _at_least(
        f"{what} ({other.label}, {microseconds(other.seconds)} µs)", target, other.seconds / ours, "{:.3g}x"
    )


def _comparisons(section: Result) -> Iterator[Target]:
    for (base, name), target in COSTS.items():
        if base in section:
            plain, other = (best(section[base][one])["fastgd"].seconds for one in (base, name))
            yield _at_most(f"{base}, {name}: times the plain step", target, other / plain, "{:.2f}x")
    for (base, name), target in SHARES.items():
        if base in section:
            result = section[base][name]
            reached = share(result, best(result)["fastgd"].seconds)
            yield _at_least(f"{base}, {name}: share of its peak", target, reached, "{:.0%}")


def _predictions(section: Result) -> Iterator[Target]:
    for call in section.get("digits", []):
        if call["rows"] == 1:
            for name in ONE_ROW.keys() & best(call).keys():
                one = best(call)[name]
                yield _at_most(
                    f"predict of one row, 64-64-10, µs: {one.label}", ONE_ROW[name] * 1e6, one.seconds * 1e6, "{:.2g}"
                )
    for name, calls in section.items():
        for call in calls:
            if call["rows"] >= COMPUTE_BOUND_ROWS and "fastgd" in best(call):
                reached = share(call, min(best(call)[who].seconds for who in PREDICTORS[:2] if who in best(call)))
                yield _at_least(
                    f"predict of {call['rows']:,} rows, {name}: share of peak", PREDICTION_SHARE, reached, "{:.0%}"
                )


def _scaling(section: Result) -> Iterator[Target]:
    costs = [row["seconds"] for row in section["rows"]]
    first, last = section["rows"][0]["rows"], section["rows"][-1]["rows"]
    yield _at_most(
        f"cost per row, {first:,} to {last:,} rows: highest over lowest", FLATNESS, max(costs) / min(costs), "{:.2f}x"
    )


def _footprints(section: Result) -> Iterator[Target]:
    for name, one in section["memory"].items():
        due = one["activations"] + one["theta"]
        if due > MIN_MEMORY:
            what = f"{name}: memory, relative to activations (of a batch, twice) and theta"
            yield _at_most(what, MEMORY, one["workspace"] / due, "{:.2f}x")
    yield _at_most(
        "import of fastgd after NumPy, ms", IMPORT_SECONDS * 1e3, section["import"]["fastgd"] * 1e3, "{:.0f}"
    )
    if "wheel" in section["size"]:
        wheel = section["size"]["wheel"]
        yield Target("wheel", f"≤ {bytes_of(WHEEL_BYTES)}", bytes_of(wheel), wheel <= WHEEL_BYTES)


def _loops(section: Result) -> Iterator[Target]:
    for name, parts in section.items():
        for part, seconds in parts.items():
            if name.startswith("fastgd"):
                yield _at_most(f"custom loop, {name}, {part}, µs", LOOP[part] * 1e6, seconds * 1e6, "{:.2g}")


def _late(section: Result) -> Iterator[Target]:
    for name, stages in section.items():
        yield _at_most(f"{name}: late epochs, times early ones", LATE, stages["ratio"], "{:.2f}x")


SECTIONS = {
    "training": _training,
    "comparisons": _comparisons,
    "predictions": _predictions,
    "scaling": _scaling,
    "footprints": _footprints,
    "loops": _loops,
    "late": _late,
}
