"""The performance targets, and whether the results of a CPU reach them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from . import bf16
from .peers import PREDICTORS
from .summary import Result, best, bytes_of, fastest_peer, fixed_team, paired, share


class Speed(NamedTuple):
    """Minimum for a workload: factor over the fastest peer; share of all CPUs' peak; factor over PyTorch eager."""

    peer: float
    share: float | None = None
    eager: float | None = None


# By vendor: what a kernel reaches of its peak depends on the caches around it. Of other vendors, nothing is known yet.
SPEEDS = {
    "AMD": {
        "tiny": Speed(7, eager=200),
        "digits": Speed(2.6, 0.45),
        "tabular": Speed(2, 0.75),
        "mnist": Speed(1.6, 0.80),
        "mnist-big": Speed(1.4, 0.90),
        "wide": Speed(1.15, 0.90),
    },
    "Intel": {
        "tiny": Speed(5),
        "digits": Speed(3, 0.35),
        "tabular": Speed(2.2, 0.50),
        "mnist": Speed(1.7, 0.55),
        "mnist-big": Speed(1.3, 0.65),
        "wide": Speed(1.1, 0.68),
    },
}
# With AMX: minimum factors over the fastest peer with float32 weights, and over float32 in prediction; maximum cost of
# Adam relative to plain SGD. Without: minimum factor over float32.
BF16, BF16_PREDICTION, BF16_ADAM, EMULATED = {"mnist": 6, "mnist-big": 4, "wide": 2}, 4, 1.25, 0.85
DOUBLE = {"mnist-big": 1.0}  # minimum factor over the fastest peer in float64
# Maximum cost relative to the plain workload; minimum share of the dtype's own peak on AMD, as above.
COSTS = {
    ("mnist-big", "momentum"): 1.15,
    ("mnist-big", "Adam"): 1.15,
    ("tabular", "sigmoid"): 1.10,
    ("tabular", "tanh"): 1.10,
}
SHARES = {"AMD": {("mnist-big", "float64"): 0.85}}
TWO_CORES = {"tabular": 1.5, "mnist": 1.5, "mnist-big": 1.85, "wide": 1.85}  # minimum factor over one thread
ADAPTIVE, BUSY = 1.03, 1.25  # relative to the better of one thread and all; to one thread, with a busy CPU
FIT, FIRST_FIT = 1.05, 1.10  # relative to the engine's steps; to a later fit
ONE_ROW = {"fastgd": 3e-6, "fastgd-buffer": 1.5e-6}  # seconds to predict one row, 64-64-10
ONE_ROW_BIG = 1.0  # relative to ONNX Runtime, mnist-big
PREDICTION_SHARE = 0.70  # where arithmetic dominates
COMPUTE_BOUND_ROWS = 1000
IMPORT_SECONDS, WHEEL_BYTES, FLATNESS, MEMORY = 0.020, 1e6, 1.25, 1.0
LOOP = {"forward": 3e-6, "loss": 3e-6, "backward": 4e-6, "step": 3e-6, "total": 12e-6}  # seconds, 64-64-10, batch 32
# Minimum factors over one member after another, and over GridSearchCV; minimum share of the speed in memory.
MANY, SEARCH, SOURCE = {"population": 1.9, "by_joblib": 1.8}, 20, 0.80
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
    """The targets for this CPU whose parts were measured."""
    vendor = results.get("machine", {}).get("vendor", "")
    yield from _training(results.get("training", {}), SPEEDS.get(vendor, {}))
    yield from _float64(results.get("float64", {}))
    has_amx = results.get("machine", {}).get("engine", "").startswith("amx")
    yield from (_bf16 if has_amx else _emulated)(results.get("bf16", {}))
    yield from _costs(results.get("comparisons", {}), SHARES.get(vendor, {}))
    for section, compare in SECTIONS.items():
        yield from compare(results.get(section, {}))


def _at_least(what: str, target: float, reached: float, form: str) -> Target:
    return Target(what, f"≥ {form.format(target)}", form.format(reached), reached >= target)


def _at_most(what: str, target: float, reached: float, form: str) -> Target:
    return Target(what, f"≤ {form.format(target)}", form.format(reached), reached <= target)


def _training(section: Result, speeds: dict[str, Speed]) -> Iterator[Target]:
    for name in [name for name in speeds if name in section]:
        speed, field = speeds[name], best(section[name])
        if "fastgd" not in field:
            continue
        ours, peer, eager = field["fastgd"].seconds, fastest_peer(section[name]), field.get("torch")
        if peer:
            yield _at_least(f"{name}: speed-up over the fastest peer", speed.peer, peer.seconds / ours, "{:.3g}x")
        if eager and speed.eager:
            yield _at_least(f"{name}: speed-up over eager PyTorch", speed.eager, eager.seconds / ours, "{:.3g}x")
        if speed.share:
            yield _at_least(f"{name}: share of peak", speed.share, share(section[name], ours), "{:.0%}")


def _float64(section: Result) -> Iterator[Target]:
    for name, target in DOUBLE.items():
        peer = fastest_peer(section[name]) if name in section else None
        if peer:
            factor = peer.seconds / best(section[name])["fastgd"].seconds
            yield _at_least(f"{name}, float64: speed-up over the fastest peer", target, factor, "{:.3g}x")


def _bf16(section: Result) -> Iterator[Target]:
    measured = bf16.measured(section)
    for name, factor in BF16.items():
        sgd, adam, call = (measured.get(f"{name}-{what}") for what in ("sgd", "adam", "predict"))
        peer = bf16.fastest(sgd, with_f32_weights=True) if sgd else None
        if sgd and peer:
            reached = peer.seconds / best(sgd)["fastgd-bf16"].seconds
            yield _at_least(
                f"{name}, bf16: speed-up over the fastest peer with f32 weights", factor, reached, "{:.3g}x"
            )
        if sgd and adam:
            ratio = best(adam)["fastgd-bf16"].seconds / best(sgd)["fastgd-bf16"].seconds
            yield _at_most(f"{name}, bf16: time of a step with Adam, relative to SGD", BF16_ADAM, ratio, "{:.2f}x")
        if call:
            what = f"{name}, bf16: predict of {call['rows']:,} rows, speed-up over f32"
            yield _at_least(what, BF16_PREDICTION, _over_f32(call), "{:.2f}x")


def _emulated(section: Result) -> Iterator[Target]:
    for race in bf16.measured(section).values():
        yield _at_least(f"{bf16.title(race)}, bf16: speed relative to f32", EMULATED, _over_f32(race), "{:.2f}x")


def _over_f32(race: Result) -> float:
    field = best(race)
    return field["fastgd"].seconds / field["fastgd-bf16"].seconds


def _costs(section: Result, shares: dict[tuple[str, str], float]) -> Iterator[Target]:
    for (base, name), target in COSTS.items():
        if base in section:
            plain, other = (best(section[base][one])["fastgd"].seconds for one in (base, name))
            yield _at_most(f"{base}, {name}: time of a step, relative to plain SGD", target, other / plain, "{:.2f}x")
    for (base, name), target in shares.items():
        if base in section:
            result = section[base][name]
            reached = share(result, best(result)["fastgd"].seconds)
            yield _at_least(f"{base}, {name}: share of peak", target, reached, "{:.0%}")


def _cores(section: Result) -> Iterator[Target]:
    for name, loads in section.items():
        idle = loads["idle"]
        if name in TWO_CORES:
            factor = paired(idle, "one", "all")
            yield _at_least(f"{name}: all cores, speed-up over one", TWO_CORES[name], factor, "{:.2f}x")
        ratio = paired(idle, "adaptive", fixed_team(idle))
        yield _at_most(f"{name}: threads as fastgd chooses, relative to the best number", ADAPTIVE, ratio, "{:.2f}x")
        if "busy" in loads:
            ratio = paired(loads["busy"], "adaptive", "one")
            yield _at_most(f"{name}: one core busy, relative to one thread", BUSY, ratio, "{:.2f}x")


def _fit(section: Result) -> Iterator[Target]:
    for name, found in section.items():
        if name.endswith("-first"):
            task = name.removesuffix("-first")
            yield _at_most(
                f"{task}: first fit of a process, relative to later ones", FIRST_FIT, found["ratio"], "{:.2f}x"
            )
            continue
        for one in found:
            what = f"{name}: Trainer.fit for {one['epochs']} epoch{'s' * (one['epochs'] > 1)}, relative to its steps"
            yield _at_most(what, FIT, one["ratio"], "{:.2f}x")


def _predictions(section: Result) -> Iterator[Target]:
    for call in section.values():
        name, rows, field = call["network"], call["rows"], best(call)
        if name == "digits" and rows == 1:
            for who in [who for who in ONE_ROW if who in field]:
                what = f"{name}: predict of one row, µs, {field[who].label}"
                yield _at_most(what, ONE_ROW[who] * 1e6, field[who].seconds * 1e6, "{:.2g}")
        if name == "mnist-big" and rows == 1 and {"fastgd", "onnxruntime"} <= field.keys():
            ratio = field["fastgd"].seconds / field["onnxruntime"].seconds
            yield _at_most(f"{name}: predict of one row, relative to ONNX Runtime", ONE_ROW_BIG, ratio, "{:.2f}x")
        if rows >= COMPUTE_BOUND_ROWS and "fastgd" in field:
            seconds = min(field[who].seconds for who in PREDICTORS[:2] if who in field)
            yield _at_least(
                f"{name}: predict of {rows:,} rows, share of peak", PREDICTION_SHARE, share(call, seconds), "{:.0%}"
            )


def _rows(section: Result) -> Iterator[Target]:
    rows = section.get("fit", [])
    if rows:
        costs = [row["seconds"] for row in rows]
        what = f"cost of a row, {rows[0]['rows']:,} to {rows[-1]['rows']:,} rows: highest over lowest"
        yield _at_most(what, FLATNESS, max(costs) / min(costs), "{:.2f}x")


def _footprints(section: Result) -> Iterator[Target]:
    for name, one in section.get("memory", {}).items():
        due = one["activations"] + one["theta"]
        if due > MIN_MEMORY:
            what = f"{name}: memory, relative to activations (of a batch, twice) and theta"
            yield _at_most(what, MEMORY, one["workspace"] / due, "{:.2f}x")
    if "import" in section:
        seconds = section["import"]["fastgd"]
        yield _at_most("import of fastgd after NumPy, ms", IMPORT_SECONDS * 1e3, seconds * 1e3, "{:.0f}")
    if "wheel" in section.get("size", {}):
        wheel = section["size"]["wheel"]
        yield Target("wheel", f"≤ {bytes_of(WHEEL_BYTES)}", bytes_of(wheel), wheel <= WHEEL_BYTES)


def _loops(section: Result) -> Iterator[Target]:
    for name, steps in section.get("digits", {}).items():
        for part, seconds in steps.items():
            if name.startswith("fastgd"):
                yield _at_most(f"custom loop, {name}, {part}, µs", LOOP[part] * 1e6, seconds * 1e6, "{:.2g}")


def _late(section: Result) -> Iterator[Target]:
    for name, stages in section.items():
        yield _at_most(f"{name}: late epochs, relative to early ones", LATE, stages["ratio"], "{:.2f}x")


def _many(section: Result) -> Iterator[Target]:
    cores, search = section.get("population", {}), section.get("search", {})
    for name, factor in MANY.items():
        if name in cores:
            reached = cores["one_after_another"] / cores[name]
            yield _at_least(
                f"32 members, {name.replace('_', ' ')}: speed-up over one after another", factor, reached, "{:.2f}x"
            )
    if search:
        reached = search["GridSearchCV"] / search["Population"]
        yield _at_least("Population: speed-up over GridSearchCV of scikit-learn's MLP", SEARCH, reached, "{:.3g}x")


def _sources(section: Result) -> Iterator[Target]:
    for network, found in section.items():
        for kind in [kind for kind in found if kind != "memory"]:
            what = f"{network}: training from {kind}, share of the speed in memory"
            yield _at_least(what, SOURCE, found["memory"] / found[kind], "{:.0%}")


SECTIONS = {
    "cores": _cores,
    "fit": _fit,
    "predictions": _predictions,
    "rows": _rows,
    "footprints": _footprints,
    "loops": _loops,
    "late": _late,
    "many": _many,
    "sources": _sources,
}
