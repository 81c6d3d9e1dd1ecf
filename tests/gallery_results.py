"""The result that each script of the gallery (docs/training.md) states, and how far it may fall behind it."""

from typing import NamedTuple


class Result(NamedTuple):
    """The last line that a script prints is `result: <name> <value>`."""

    name: str
    stated: float
    margin: float  # how much worse than stated any of the seeds may be
    lower_is_better: bool = False
    requires: str = "matplotlib"  # a module without which the script is skipped


RESULTS = {
    "line": Result("distance from the least-squares line", 0.004, 0.004, lower_is_better=True),
}
