"""The pictures of the report, as SVG."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .peers import CONTENDERS, PREDICTORS, TRAINERS, is_peer
from .summary import Result, best, microseconds, peak

# Okabe & Ito, "Color Universal Design", 2008: distinct for colour-blind readers.
OURS, GREY, DARK = "#D55E00", "#B0B0B0", "#444444"
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
STYLE = {
    "svg.hashsalt": "fastgd",  # the same numbers give the same file
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def draw(section: str, results: Result, folder: Path) -> None:
    """The pictures of one section."""
    with plt.rc_context(STYLE):
        for name, picture in PICTURES.get(section, {}).items():
            figure = picture(results)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def _training(results: Result) -> Figure:
    """Bars of time a step, a panel for each workload."""
    races = [race for race in results["training"].values() if "fastgd" in best(race)]
    rows = -(-len(races) // 2)
    names = [name for name in TRAINERS if any(name in best(race) for race in races)]
    figure, axes = plt.subplots(rows, 2, figsize=(9.5, 0.5 + rows * (0.7 + 0.19 * len(names))), squeeze=False)
    for ax, race in zip(axes.flat, races, strict=False):
        _bars(ax, race)
    for ax in axes.flat[len(races) :]:
        ax.set_visible(False)
    figure.suptitle("Time of a training step, and how many times that of fastgd", fontsize=12)
    return figure


def _bars(ax: Axes, race: Result) -> None:
    field = sorted(best(race).values(), key=lambda one: one.seconds)
    ours = best(race)["fastgd"].seconds
    times = np.array([one.seconds * 1e6 for one in field])
    places = np.arange(len(field))[::-1]
    ax.barh(places, times, color=[GREY if is_peer(one.name) else OURS for one in field], height=0.72)
    ax.set(title=race["title"], xlabel="µs (logarithmic)", xscale="log", xlim=(times.min() / 2, times.max() * 8))
    ax.set_yticks(places, [one.label for one in field])
    ax.tick_params(axis="y", length=0)
    for place, one in zip(places, field, strict=True):
        text = f" {microseconds(one.seconds)}" + (f"  ({one.seconds / ours:.1f}x)" if one.name != "fastgd" else "")
        ax.text(one.seconds * 1e6, place, text, va="center", fontsize=8, color=DARK)


def _roofline(results: Result) -> Figure:
    """Whole steps of fastgd under the machine's limits."""
    figure, ax = plt.subplots(figsize=(7.5, 5))
    limits, races = results["limits"], results["training"]
    least, most, lowest = 0.2, 3e3, 5
    threads = max(limits["fma"]["float32"], key=int)
    top = max(limits["fma"]["float32"][threads], *(peak(race) for race in races.values()))
    intensity = np.geomspace(least, most, 200)
    ax.plot(intensity, np.full(200, top), color=DARK, linewidth=1.5)
    ax.text(
        2.9e3, top * 1.06, f"multiply-adds, {threads} threads: {top:.0f} GFLOP/s", ha="right", fontsize=8, color=DARK
    )
    one = limits["fma"]["float32"]["1"]
    ax.plot(intensity, np.full(200, one), color=DARK, linewidth=0.8, linestyle="--")
    ax.text(2.9e3, one * 1.06, f"1 thread: {one:.0f} GFLOP/s", ha="right", fontsize=8, color=DARK)
    for level, rates in limits["bandwidth"].items():
        rate = rates[threads]
        below = intensity[intensity * rate <= top]
        ax.plot(below, below * rate, color=DARK, linewidth=1.5 if level == "memory" else 0.8)
        _along(ax, below[0], below[0] * rate, f"{level}: {rate:.0f} GB/s")
    for name, race in races.items():
        if "fastgd" in best(race):
            x, y = race["flops"] / race["bytes"], race["flops"] / best(race)["fastgd"].seconds / 1e9
            ax.plot(x, y, "o", color=OURS, markersize=7)
            ax.annotate(name, (x, y), xytext=(7, -10), textcoords="offset points", fontsize=9)
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(least, most),
        ylim=(lowest, top * 1.6),
        title="Whole training steps under the machine's limits",
        xlabel="operations of a step per byte that it must read or write (batch, theta), FLOP/B",
        ylabel="GFLOP/s",
    )
    return figure


def _along(ax: Axes, x: float, y: float, text: str) -> None:
    """A text on a line of slope 1 of the logarithmic plane, a little above where the line enters the picture."""
    low = 5.5
    x, y = (x * low / y, low) if y < low else (x, y)
    options = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    ax.text(x * 1.15, y * 1.35, text, fontsize=8, color=DARK, **options)


def _prediction(results: Result) -> Figure:
    """Time of a call by its rows."""
    section = results["predictions"]
    figure, axes = plt.subplots(1, len(section), figsize=(5 * len(section), 4), squeeze=False)
    for ax, (name, calls) in zip(axes.flat, section.items(), strict=True):
        for who in PREDICTORS:
            points = [(call["rows"], best(call)[who].seconds * 1e6) for call in calls if who in best(call)]
            _line(ax, who, points)
        ax.set(
            title=f"predict, network of {name}", xlabel="rows of a call", ylabel="µs a call", xscale="log", yscale="log"
        )
    axes.flat[0].legend(fontsize=8)
    return figure


def _scaling(results: Result) -> Figure:
    """GFLOP/s by width and by batch."""
    section = results["scaling"]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for ax, what in zip(axes, ("width", "batch"), strict=True):
        races = section[what]
        sizes = [int(race["title"].split()[1]) for race in races]
        for who in dict.fromkeys(name for race in races for name in best(race)):
            pairs = [
                (n, r["flops"] / best(r)[who].seconds / 1e9)
                for n, r in zip(sizes, races, strict=True)
                if who in best(r)
            ]
            _line(ax, who, pairs)
        ax.plot(sizes, [peak(race) for race in races], color=DARK, linewidth=1, linestyle=":", label="multiply-adds")
        ax.set(
            xscale="log",
            yscale="log",
            xlabel=f"{what}",
            title={"width": "n-n-10, batch 128", "batch": "256-256-10"}[what],
        )
        ax.set_xticks(sizes, sizes, fontsize=8, minor=False)
        ax.minorticks_off()
    axes[0].set_ylabel("GFLOP/s of a whole step")
    axes[1].legend(fontsize=8)
    return figure


def _line(ax: Axes, who: str, points: list[tuple[float, float]]) -> None:
    if points:
        ours = who == "fastgd"
        style = "--" if who in ("torch-manual", "fastgd-buffer") else "-"
        sizes = {"markersize": 5, "linewidth": 2.2, "zorder": 3} if ours else {"markersize": 3.5, "linewidth": 1.2}
        look = {"color": COLORS.get(who, GREY), "marker": "o", "linestyle": style, **sizes}
        ax.plot(*zip(*points, strict=True), **look, label=CONTENDERS[who].label)


PICTURES: dict[str, dict[str, Callable[[Result], Figure]]] = {
    "training": {"training": _training, "roofline": _roofline},
    "predictions": {"prediction": _prediction},
    "scaling": {"scaling": _scaling},
}
