"""The page of one CPU and its figures, from its results.json."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from . import bf16, figures, late, loops, partition, sources, subjects
from .peers import CONTENDERS, PREDICTORS, TRAINERS
from .summary import Best, Result, best, bytes_of, failures, fastest_peer, microseconds, share, table
from .targets import targets

HEAD = """# Performance on {cpu}

Measured by `python -m benchmarks` on {system}. All raw results are in
[results.json](results.json); [the page above](../README.md) compares CPUs and says how they were measured.
"""


def write(results: Result, folder: Path) -> str:
    """Write README.md and the figures of what was measured; returns the text of README.md."""
    parts = [_head(results), *("\n".join(section(results)) for section in SECTIONS)]
    if (folder / "many-cores.md").exists():
        parts.append(
            "## Many cores\n\n[many-cores.md](many-cores.md): what 16, 64 and 128 cores would compute, simulated."
        )
    text = "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
    (folder / "README.md").write_text(text)
    figures.draw(results, folder)
    return text


def write_simulation(results: Result, folder: Path) -> None:
    """Write many-cores.md: for the CPU of this machine alone, because the engine is asked how it divides a step."""
    if {"fma", "bandwidth"} <= results.get("limits", {}).keys():
        (folder / "many-cores.md").write_text(partition.report(results))


def _head(results: Result) -> str:
    facts = results["machine"]
    rows = subjects.machine_rows(results)
    rows |= {name: version for name, version in facts["versions"].items() if name not in rows}
    return "\n".join([HEAD.format(**facts), *table(("", ""), rows.items())])


def _targets(results: Result) -> Iterator[str]:
    lines = list(targets(results))
    if lines:
        met = sum(line.is_met for line in lines)
        yield f"## Targets\n\n{met} of {len(lines)} are reached; the others are in bold.\n"
        rows = [(one.what, one.target, one.reached if one.is_met else f"**{one.reached}**") for one in lines]
        yield from table(("what", "target", "measured"), rows)


def _training(results: Result) -> Iterator[str]:
    section = results.get("training", {})
    if not section:
        return
    yield "## Training\n"
    yield "Time of a step, and how many times faster fastgd is:\n"
    header = ("workload", "fastgd, µs", "GFLOP/s", "of peak", "fastest peer", "its µs", "faster", "than eager PyTorch")
    yield from table(header, [_training_row(result) for result in section.values() if "fastgd" in best(result)])
    yield "\n![Speed of a training step of every contender](training.svg)\n"
    yield "All contenders, µs per step (threads of the better run):\n"
    yield from _contenders(section.items(), TRAINERS)
    if {"fma", "bandwidth"} <= results.get("limits", {}).keys():
        yield "\nThe speed of each step, and the limits of the machine:\n"
        yield "![Roofline](roofline.svg)"
    yield from _failed(section)


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
        f"**{peer.seconds / ours.seconds:.2f}x**" if peer else "",
        f"{eager.seconds / ours.seconds:.1f}x" if eager else "",
    )


def _contenders(races: Iterable[tuple[str, Result]], names: Iterable[str]) -> Iterator[str]:
    """A table of seconds: a row per contender, a column per race."""
    races = list(races)
    rows = [(CONTENDERS[who].label, *(_cell(best(race).get(who)) for _, race in races)) for who in names]
    yield from table(("contender", *(name for name, _ in races)), [row for row in rows if any(row[1:])])


def _cell(one: Best | None) -> str:
    return f"{microseconds(one.seconds)} ({one.threads})" if one else ""


def _failed(section: Result) -> Iterator[str]:
    failed = {f"{task}, {key}: {why}" for task, result in section.items() for key, why in failures(result).items()}
    if failed:
        yield from ("\nFailed:\n", *(f"- {line}" for line in sorted(failed)))


def _float64(results: Result) -> Iterator[str]:
    section = results.get("float64", {})
    if section:
        yield "## float64\n"
        yield "µs per step in float64 (threads of the better run):\n"
        yield from _contenders(section.items(), TRAINERS)
        yield from _failed(section)


def _bf16(results: Result) -> Iterator[str]:
    section = results.get("bf16", {})
    if section:
        yield "## bfloat16\n"
        yield 'Training and prediction with `precision="bf16"`, and how many times faster that is:\n'
        yield from table(("workload", *bf16.HEADER), bf16.rows(section))
        yield "\nAll contenders, µs per step or call (threads of the better run):\n"
        yield from table(("contender", *section), bf16.contenders(section))
        yield from _failed(section)


def _comparisons(results: Result) -> Iterator[str]:
    rows = []
    for base, group in results.get("comparisons", {}).items():
        plain = best(group[base])["fastgd"].seconds
        for name, result in group.items():
            seconds = best(result)["fastgd"].seconds
            title = result["title"] if name == base else f"with {name}"
            cost = "" if name == base else f"{seconds / plain:.2f}"
            rows.append((title, microseconds(seconds), cost, f"{share(result, seconds):.0%}"))
    if rows:
        yield "## Other rules, activations and dtypes\n"
        yield from table(("workload", "µs per step", "relative to the plain step", "of its dtype's peak"), rows)


def _predictions(results: Result) -> Iterator[str]:
    calls = results.get("predictions", {}).values()
    if not calls:
        return
    yield "## Prediction\n"
    for name in dict.fromkeys(call["network"] for call in calls):
        yield f"\nµs per call of `predict` by number of rows, network of *{name}* (threads of the better run):\n"
        yield from _contenders(((f"{call['rows']:,}", call) for call in calls if call["network"] == name), PREDICTORS)
    yield "\n![Speed of a prediction by rows](prediction.svg)"


def _growth(results: Result) -> Iterator[str]:
    if not {"width", "batch"} <= results.keys():
        return
    yield "## Growth\n"
    yield "Training of n-n-10 at batch 128, and of 256-256-10 at any batch; GFLOP/s of a whole step:\n"
    yield "![GFLOP/s by width and by batch](scaling.svg)"
    for what in ("width", "batch"):
        races = [race for race in results[what].values() if "fastgd" in best(race)]
        yield f"\nBy {what}:\n"
        header = ("network", "fastgd, µs", "on 1 thread", "GFLOP/s", "of peak", "faster than the fastest peer")
        yield from table(header, [_growth_row(race) for race in races])


def _growth_row(result: Result) -> tuple[str, ...]:
    ours, peer = best(result)["fastgd"].seconds, fastest_peer(result)
    alone = median(result["runs"]["fastgd/1"]["seconds"])
    rate = f"{result['flops'] / ours / 1e9:.3g}"
    ratio = f"{peer.seconds / ours:.2f}x" if peer else ""
    return result["title"], microseconds(ours), microseconds(alone), rate, f"{share(result, ours):.0%}", ratio


def _threads(results: Result) -> Iterator[str]:
    section = results.get("threads", {})
    if section:
        counts = list(dict.fromkeys(key.split("/")[1] for result in section.values() for key in result["runs"]))
        rows = [
            (race["title"], *(microseconds(median(run["seconds"])) for run in race["runs"].values()))
            for race in section.values()
        ]
        yield from ("By the number of threads that fastgd may use, µs per step:\n", *table(("workload", *counts), rows))


def _rows(results: Result) -> Iterator[str]:
    rows = subjects.row_rows(results)
    if rows:
        yield "`Trainer.fit` on memory-mapped rows of 64 uint8 columns (64-64-10, batch 32):\n"
        yield from table(("rows", *rows), [("time per row", *rows.values())])


def _phases(results: Result) -> Iterator[str]:
    section = results.get("phases", {})
    if section:
        yield "## Phases of a step\n"
        yield "µs in each phase on one thread, and on each of all threads; *wait* is for other threads:"
    for found in section.values():
        phases = list(dict.fromkeys((*found["one"], *found["all"])))
        rows = [(phase, *map(microseconds, _of_threads(found, phase))) for phase in phases]
        totals = [sum(times) for times in zip(*(_of_threads(found, phase) for phase in phases), strict=True)]
        names = [f"thread {rank}" for rank in range(len(totals) - 1)]
        yield ""
        yield from table((found["title"], "alone", *names), [*rows, ("total", *map(microseconds, totals))])


def _of_threads(found: Result, phase: str) -> list[float]:
    """Seconds of a phase: of one thread alone, then of each of all threads."""
    return [seconds for team in ("one", "all") for seconds in found[team].get(phase, [0.0] * len(found[team]["wait"]))]


def _loops(results: Result) -> Iterator[str]:
    section = results.get("loops", {}).get("digits", {})
    if section:
        yield "## Custom training loops\n"
        yield "µs per call, 64-64-10, batch 32, one thread; backward computes the gradient of theta alone:\n"
        rows = [
            (name, *(microseconds(parts[part]) if part in parts else "" for part in loops.PARTS))
            for name, parts in section.items()
        ]
        yield from table(("contender", *loops.PARTS), rows)


def _late(results: Result) -> Iterator[str]:
    section = results.get("late", {})
    if section:
        yield "## Late epochs\n"
        yield f"µs per epoch ({late.HIDDEN} hidden units, batch {late.BATCH}, one thread) after {late.EARLY} epochs,"
        yield "and when training has converged and many weights no longer get a gradient. The ratio is the median"
        yield "over pairs of blocks, one measured right after the other.\n"
        rows = [
            (name, *map(microseconds, (one["early"], one["late"])), one["epochs"], f"{one['ratio']:.2f}")
            for name, one in section.items()
        ]
        yield from table(("data and optimizer", "early", "late", "after epochs", "late / early"), rows)


def _many(results: Result) -> Iterator[str]:
    section = results.get("many", {})
    if section:
        yield "## Many models\n"
    if "population" in section:
        yield "Time per member of 32 networks of 64-64-10, 30 epochs of the digits each:\n"
        yield from _relative(section["population"], "one_after_another")
    if "search" in section:
        yield "\nTime per fit of a search, 32 candidates in 5 folds (Adam, 30 epochs); scikit-learn has 2 processes:\n"
        yield from _relative(section["search"], "GridSearchCV")


def _relative(seconds: dict[str, float], base: str) -> Iterator[str]:
    """A table of times, and how many times faster each is than the base."""
    rows = [
        (name.replace("_", " "), f"{each * 1e3:.2f}", f"{seconds[base] / each:.2f}x") for name, each in seconds.items()
    ]
    yield from table(("", "ms", "faster"), rows)


def _sources(results: Result) -> Iterator[str]:
    section = results.get("sources", {})
    if section:
        yield "## Data beyond memory\n"
        yield f"ns per row ({sources.COLUMNS} float32 columns, batch {sources.BATCH}), share of the speed in memory:\n"
        kinds = list(dict.fromkeys(kind for found in section.values() for kind in found))
        cells = {name: [_source_cell(found, kind) for kind in kinds] for name, found in section.items()}
        yield from table(("network", *kinds), [(name, *row) for name, row in cells.items()])


def _source_cell(found: dict[str, float], kind: str) -> str:
    return f"{found[kind] * 1e9:.0f}, {found['memory'] / found[kind]:.0%}" if kind in found else ""


def _footprints(results: Result) -> Iterator[str]:
    section = results.get("footprints", {})
    if "memory" in section:
        yield "## Memory, import, size\n"
        yield "Memory that training needs besides the data and the model:\n"
        keys = ("workspace", "activations", "theta")
        rows = [(name, *(bytes_of(one[key]) for key in keys)) for name, one in section["memory"].items()]
        yield from table(("workload", "needed", "activations of one batch, twice", "theta"), rows)
    if "import" in section and "size" in section:
        yield "\nImports in a fresh process after NumPy's, with a warm disk (of fastgd: until a model, a trainer and an"
        yield "optimizer can be made); packages without their dependencies:\n"
        yield from table(("what", "needs"), _needs(section["size"], section["import"]))


def _needs(size: dict[str, Any], imports: dict[str, float]) -> Iterator[tuple[str, str]]:
    yield from ((f"import {name}", f"{seconds * 1e3:,.0f} ms") for name, seconds in imports.items())
    yield from ((f"fastgd, {what}", bytes_of(size[what])) for what in ("wheel", "wheel, unpacked") if what in size)
    yield from ((f"{name}, installed", bytes_of(taken)) for name, taken in size["installed"].items())


def _subject(subject: subjects.Subject) -> Callable[[Result], Iterator[str]]:
    """A section of the page of all CPUs, with one column; this page is one folder further down."""

    def lines(results: Result) -> Iterator[str]:
        for line in subject.lines({results["machine"]["cpu"]: results}):
            yield line.replace("](../../", "](../../../")

    return lines


def _data(results: Result) -> Iterator[str]:
    yield from _subject(subjects.DATA)(results)
    if "data" in results:
        yield "\n![Seconds to the goal](data.svg)"


SECTIONS: tuple[Callable[[Result], Iterator[str]], ...] = (
    _training,
    _float64,
    _bf16,
    _comparisons,
    _subject(subjects.CORES),
    _phases,
    _subject(subjects.FIT),
    _data,
    _predictions,
    _growth,
    _threads,
    _rows,
    _footprints,
    _loops,
    _late,
    _many,
    _sources,
    _targets,
)
