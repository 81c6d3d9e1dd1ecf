"""Products in bfloat16 beside those in float32: fastgd, PyTorch and JAX, in training and prediction."""

from collections.abc import Iterator
from dataclasses import replace

from .peers import BF16, CONTENDERS, LOSES_ACCURACY, is_peer
from .summary import Best, Result, best, microseconds, times
from .workloads import WORKLOADS

NAMES = ("mnist", "mnist-big", "wide")
ROWS = 4096  # of a prediction
TRAININGS = {
    f"{name}-{optimizer}": replace(WORKLOADS[name], optimizer=optimizer, lr=lr)
    for name in NAMES
    for optimizer, lr in (("sgd", WORKLOADS[name].lr), ("adam", 0.001))
}
HEADER = ("fastgd bf16, µs", "than fastgd f32", "than the fastest peer with f32 weights", "than the fastest peer")


def fastest(race: Result, with_f32_weights: bool) -> Best | None:
    """The fastest peer, of those whose weights are float32 or of all."""
    peers = [
        one for name, one in best(race).items() if is_peer(name) and not (with_f32_weights and name == LOSES_ACCURACY)
    ]
    return min(peers, key=lambda one: one.seconds, default=None)


def measured(section: Result) -> dict[str, Result]:
    """The races of fastgd with both precisions, none of which failed."""
    return {part: race for part, race in section.items() if {"fastgd", "fastgd-bf16"} <= best(race).keys()}


def rows(section: Result) -> Iterator[tuple[str, ...]]:
    """What is measured, µs, and how many times faster that is; cells of a table with this HEADER."""
    for race in measured(section).values():
        field = best(race)
        ours = field["fastgd-bf16"].seconds
        cells = [times(field["fastgd"].seconds / ours)]
        for peer in (fastest(race, with_f32_weights=True), fastest(race, with_f32_weights=False)):
            cells.append(f"{times(peer.seconds / ours)} ({peer.label})" if peer else "")
        yield title(race), microseconds(ours), *cells


def title(race: Result) -> str:
    """mnist 784-128-10, batch 64; mnist, prediction of 4,096 rows."""
    return race["title"] if "title" in race else f"{race['network']}, prediction of {race['rows']:,} rows"


def contenders(section: Result) -> Iterator[tuple[str, ...]]:
    """µs of everyone, one column per part."""
    fields = [best(race) for race in section.values()]
    for name in BF16:
        cells = [
            f"{microseconds(field[name].seconds)} ({field[name].threads})" if name in field else "" for field in fields
        ]
        if any(cells):
            yield CONTENDERS[name].label, *cells
