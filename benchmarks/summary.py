"""Values for the tables and figures, from results.json."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from .peers import CONTENDERS, is_peer

Result = dict[str, Any]


@dataclass(frozen=True)
class Best:
    """A contender at its best number of threads: median seconds over the rounds."""

    name: str
    threads: int
    seconds: float

    @property
    def label(self) -> str:
        return CONTENDERS[self.name].label


def best(result: Result) -> dict[str, Best]:
    """Every contender that did not fail, by name."""
    found: dict[str, Best] = {}
    for key, run in result["runs"].items():
        name, threads = key.rsplit("/", 1)
        if "failed" in run:
            continue
        this = Best(name, int(threads), median(run["seconds"]))
        if name not in found or this.seconds < found[name].seconds:
            found[name] = this
    return found


def fastest_peer(result: Result) -> Best | None:
    """The fastest contender that is not fastgd."""
    peers = [one for name, one in best(result).items() if is_peer(name)]
    return min(peers, key=lambda one: one.seconds, default=None)


def peak(result: Result) -> float:
    """GFLOP/s of the machine on all CPUs."""
    return max(float(rate) for rate in result["peak"].values())


def share(result: Result, seconds: float) -> float:
    """The share of the peak on all CPUs that a step in these seconds reaches."""
    return result["flops"] / seconds / 1e9 / peak(result)


def paired(times: dict[str, list[float]], one: str, other: str) -> float:
    """Time of one relative to the other: the median over the rounds, which cancels what slows a whole round."""
    return median(a / b for a, b in zip(times[one], times[other], strict=True))


def fixed_team(times: dict[str, list[float]]) -> str:
    """The faster of "one" and "all" threads."""
    return min(("one", "all"), key=lambda team: median(times[team]))


def failures(result: Result) -> dict[str, str]:
    """Reasons of failure by worker's key."""
    return {key: run["failed"] for key, run in result["runs"].items() if "failed" in run}


def microseconds(seconds: float) -> str:
    """Three digits, thousands separated by a thin space: 0.71, 6.32, 97.8, 372 000."""
    number = seconds * 1e6
    if number >= 1000:
        digits = 3 - len(str(int(number)))
        return f"{round(number, digits):,.0f}".replace(",", " ")
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def times(factor: float) -> str:
    """Three digits: 1.46x, 33.4x, 1,601x."""
    return f"{factor:,.0f}x" if factor >= 100 else f"{factor:.3g}x" if factor >= 10 else f"{factor:.2f}x"


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    """A table as lines of Markdown; all columns but the first are aligned to the right."""
    head = list(header)
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(map(str, row))} |" for row in (head, rule, *rows)]


def bytes_of(number: float) -> str:
    """A size in kB or MB."""
    return f"{number / 1e6:,.1f} MB" if number >= 1e6 else f"{number / 1e3:,.0f} kB"
