"""The figures of the report, as SVG."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fastgd import plot

from .peers import CONTENDERS, TRAINERS, is_peer
from .real import PROGRAMS
from .summary import Result, best, fastest_peer, microseconds, peak, times

# Okabe & Ito, "Color Universal Design", 2008: colours that colour-blind readers can distinguish.
OURS, LIGHT, GREY, DARK = "#D55E00", "#EFB68C", "#B0B0B0", "#444444"
LIGHT_GREY = "#DEDEDE"
CPU_COLORS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7")
COLORS = {
    "fastgd": OURS,
    "fastgd-buffer": "#E69F00",
    "fastgd-numpy": "#999999",
    "numpy": "#009E73",
    "torch": "#CC79A7",
    "torch-manual": "#CC79A7",
    "jax-step": "#0072B2",
    "jax-scan": "#0072B2",
    "sklearn": "#56B4E9",
    "onnxruntime": "#000000",
}
DASHED = ("torch-manual", "fastgd-buffer")  # because another contender has that colour
STYLE = plot.STYLE | {
    "font.size": 9,
    "axes.titlesize": 10,
    "svg.fonttype": "none",
}  # text, not the outlines of its letters


def draw(results: Result, folder: Path) -> None:
    """Write the figures whose sections, or parts of them, were measured."""
    with plt.rc_context(STYLE):
        for name, (sections, make) in FIGURES.items():
            if all(_has(results, *section.split("/")) for section in sections):
                _save(make(results), folder / f"{name}.svg")


def _has(results: Result, section: str, part: str | None = None) -> bool:
    return section in results and (part is None or part in results[section])


def _training(results: Result) -> Figure:
    """Bars of speed, one panel per workload."""
    races = [race for race in results["training"].values() if "fastgd" in best(race)]
    rows = -(-len(races) // 2)
    names = [name for name in TRAINERS if any(name in best(race) for race in races)]
    figure, axes = plt.subplots(rows, 2, figsize=(10, 0.6 + rows * (0.8 + 0.19 * len(names))), squeeze=False)
    for ax, race in zip(axes.flat, races, strict=False):
        _bars(ax, race, len(names))
    for ax in axes.flat[len(races) :]:
        ax.set_visible(False)
    figure.suptitle("Speed of a training step; its time, and how many times that of fastgd", fontsize=11)
    figure.supxlabel("speed relative to fastgd: longer is faster", fontsize=10)
    return figure


def _bars(ax: Axes, race: Result, max_bars: int) -> None:
    """One panel; bars are as thick as if there were `max_bars` of them."""
    field = sorted(best(race).values(), key=lambda one: one.seconds)
    ours = best(race)["fastgd"].seconds
    speeds = np.array([ours / one.seconds for one in field])
    places = max_bars - np.arange(len(field))
    ax.barh(places, speeds, color=[_bar_color(one.name) for one in field], height=0.72)
    ax.set_title(race["title"].replace(", ", "\n", 1), fontsize=9)
    ax.set(xlim=(0, 1.5 * max(1, speeds.max())), ylim=(0.4, max_bars + 0.6), xticks=[0, 0.5, 1])
    ax.set_yticks(places, [one.label for one in field])
    ax.tick_params(axis="y", length=0)
    for place, one, speed in zip(places, field, speeds, strict=True):
        text = f"{microseconds(one.seconds)} µs" + (f", {times(one.seconds / ours)}" if one.name != "fastgd" else "")
        _beside(ax, speed, place, text)


def _beside(ax: Axes, end: float, place: float, text: str) -> None:
    """Write at the end of a bar."""
    ax.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=DARK)


def _bar_color(name: str) -> str:
    return GREY if is_peer(name) else OURS if name == "fastgd" else LIGHT


def _roofline(results: Result) -> Figure:
    """Steps of fastgd and of its fastest peer, with the machine's limits."""
    figure, ax = plt.subplots(figsize=(7.5, 5.6))
    limits, races = results["limits"], results["training"]
    threads = max(limits["fma"]["float32"], key=int)
    top = limits["fma"]["float32"][threads]
    left, right = 0.05, 1e3
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(5, top * 1.6), ylabel="GFLOP/s")
    ax.set(title="Whole training steps under the machine's limits")
    ax.set(xlabel="operations of a step per byte that it must read or write (batch, theta), FLOP/B")
    one = limits["fma"]["float32"]["1"]
    for rate, style, text in ((top, "-", f"multiply-adds: {top:.0f} GFLOP/s"), (one, "--", f"1 thread: {one:.0f}")):
        ax.axhline(rate, color=DARK, linewidth=1.5 if rate == top else 0.8, linestyle=style)
        ax.text(right * 0.95, rate * 1.05, text, ha="right", fontsize=8, color=DARK)
    figure.draw_without_rendering()  # fixes the slope of the lines below
    for level, rates in limits["bandwidth"].items():
        _bandwidth(ax, f"{level}: {rates[threads]:.0f} GB/s", rates[threads], left, top)
    places = [_place(race) for race in races.values() if "fastgd" in best(race)]
    for name, race in races.items():
        _points(ax, name, race, places)
    ax.legend(loc="lower right", fontsize=8)
    return figure


def _bandwidth(ax: Axes, text: str, rate: float, left: float, top: float) -> None:
    """The line y = rate x up to the roof, with its name above it."""
    ends = np.array([[left, left * rate], [top / rate, top]])
    ax.plot(*ends.T, color=DARK, linewidth=1.5 if text.startswith("memory") else 0.8)
    across, up = np.diff(ax.transData.transform(ends), axis=0)[0]
    slope = float(np.degrees(np.arctan2(up, across)))
    place = ends[0] ** 0.4 * ends[1] ** 0.6  # near the middle on logarithmic axes
    ax.annotate(text, place, (-4, 4), textcoords="offset points", rotation=slope, rotation_mode="anchor", ha="center",
                fontsize=8, color=DARK)  # fmt: skip


def _place(race: Result) -> tuple[float, float]:
    """Operations per byte, and GFLOP/s of fastgd."""
    return race["flops"] / race["bytes"], race["flops"] / best(race)["fastgd"].seconds / 1e9


def _is_below_another(place: tuple[float, float], places: list[tuple[float, float]]) -> bool:
    """Whether a point is so little below another one that its name belongs below it."""
    x, y = place
    return any(1 / 3 < x / other_x < 3 and 0.6 < y / other_y < 1 for other_x, other_y in places)


def _points(ax: Axes, name: str, race: Result, places: list[tuple[float, float]]) -> None:
    ours, peer = best(race).get("fastgd"), fastest_peer(race)
    x, is_first = race["flops"] / race["bytes"], not ax.get_legend_handles_labels()[1]
    for one, label, look in (
        (peer, "fastest peer", {"color": GREY, "markersize": 5}),
        (ours, "fastgd", {"color": OURS, "markersize": 7}),
    ):
        if one:
            y = race["flops"] / one.seconds / 1e9
            ax.plot(x, y, "o", label=label if is_first else None, **look)
    if ours:
        place = _place(race)
        offset = -12 if _is_below_another(place, places) else 4.5
        ax.annotate(name, place, (0, offset), textcoords="offset points", ha="center", fontsize=8)


def _prediction(results: Result) -> Figure:
    """GFLOP/s of a call by number of rows."""
    calls = list(results["predictions"].values())
    networks = list(dict.fromkeys(call["network"] for call in calls))
    figure, axes = plt.subplots(1, len(networks), figsize=(5 * len(networks), 4), squeeze=False, sharey=True)
    for ax, network in zip(axes.flat, networks, strict=True):
        own = [call for call in calls if call["network"] == network]
        _curves(ax, own, [call["rows"] for call in own])
        ax.set(title=f"predict, network of {network}", xlabel="rows of a call")
    axes.flat[0].set_ylabel("GFLOP/s of a call")
    axes.flat[0].legend(fontsize=8)
    return figure


def _scaling(results: Result) -> Figure:
    """GFLOP/s by width and by batch."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for ax, what, title in zip(axes, ("width", "batch"), ("n-n-10, batch 128", "256-256-10"), strict=True):
        sizes = [race[what] for race in results[what].values()]
        _curves(ax, list(results[what].values()), sizes)
        ax.set(title=title, xlabel=what)
        ax.set_xticks(sizes, sizes, fontsize=8)
        ax.minorticks_off()
    axes[0].set_ylabel("GFLOP/s of a whole step")
    axes[1].legend(fontsize=8)
    return figure


def _curves(ax: Axes, races: list[Result], sizes: list[int]) -> None:
    """GFLOP/s of all contenders by size, and the machine's peak."""
    ax.set(xscale="log", yscale="log")
    for who in CONTENDERS:
        points = [
            (size, race["flops"] / best(race)[who].seconds / 1e9)
            for size, race in zip(sizes, races, strict=True)
            if who in best(race)
        ]
        if points:
            ax.plot(*zip(*points, strict=True), **_look(who), label=CONTENDERS[who].label)
    ax.plot(sizes, [max(map(peak, races))] * len(sizes), color=DARK, linewidth=1, linestyle=":", label="multiply-adds")


def _look(who: str) -> dict[str, Any]:
    look = {"color": COLORS.get(who, GREY), "marker": "o"}
    if who == "fastgd":
        return look | {"markersize": 5, "linewidth": 2.2, "zorder": 3}
    return look | {"markersize": 3.5, "linewidth": 1.2, "linestyle": "--" if who in DASHED else "-"}


def _data(results: Result) -> Figure:
    """Bars of seconds to the goal, from the start of the process; darker: from the first call that trains."""
    section = results["data"]
    figure, axes = plt.subplots(1, len(section), figsize=(10, 2.8), squeeze=False)
    for ax, problem in zip(axes.flat, section.values(), strict=True):
        runs = {name: run for name, run in problem["runs"].items() if "failed" not in run}
        names = sorted(runs, key=lambda name: -runs[name]["total"])
        for place, name in enumerate(names):
            total, training = runs[name]["total"], runs[name]["training"]
            light, dark = (LIGHT, OURS) if name == "with_fastgd" else (LIGHT_GREY, GREY)
            ax.barh(place, [total - training, training], left=[0, total - training], color=[light, dark], height=0.72)
            _beside(ax, total, place, f"{total:.2f} s")
        ax.set_yticks(range(len(names)), [PROGRAMS[name] for name in names])
        ax.tick_params(axis="y", length=0)
        ax.set_title("\n".join((problem["goal"], *problem["title"].split(", ", 1))), fontsize=9)
        ax.set(xlabel="seconds (darker: training)")
        ax.margins(x=0.18)
    return figure


def speed_ups(found: dict[str, Result]) -> Figure:
    """Bars of the speed-up over the fastest peer, grouped by workload, one colour per CPU."""
    names = list(dict.fromkeys(name for results in found.values() for name in results.get("training", {})))
    figure, ax = plt.subplots(figsize=(8, 3.2))
    height = 0.8 / len(found)
    for number, (cpu, results) in enumerate(found.items()):
        races = results.get("training", {})
        peers = {name: fastest_peer(race) for name, race in races.items() if "fastgd" in best(race)}
        factors = {name: peer.seconds / best(races[name])["fastgd"].seconds for name, peer in peers.items() if peer}
        places = [names.index(name) + (number - (len(found) - 1) / 2) * height for name in factors]
        ax.bar(
            places,
            [factor - 1 for factor in factors.values()],
            bottom=1,
            width=height * 0.94,
            label=cpu,
            color=CPU_COLORS[number % len(CPU_COLORS)],
        )
        for place, factor in zip(places, factors.values(), strict=True):
            ax.text(place, factor * 1.02, f"{factor:.1f}", ha="center", va="bottom", fontsize=8, color=DARK)
    ax.axhline(1, color=DARK, linewidth=0.8)
    ax.set(yscale="log", ylabel="times faster than the fastest peer", ylim=(0.8, 10))
    ax.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    ax.minorticks_off()
    ax.set_xticks(range(len(names)), names)
    ax.legend()
    return figure


def draw_overview(found: dict[str, Result], folder: Path) -> None:
    """Write the figure of all CPUs, from the results by name of the CPU."""
    with plt.rc_context(STYLE):
        _save(speed_ups(found), folder / "speed-ups.svg")


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


FIGURES: dict[str, tuple[tuple[str, ...], Callable[[Result], Figure]]] = {
    "training": (("training",), _training),
    "roofline": (("limits/fma", "limits/bandwidth", "training"), _roofline),
    "data": (("data",), _data),
    "prediction": (("predictions",), _prediction),
    "scaling": (("width", "batch"), _scaling),
}
