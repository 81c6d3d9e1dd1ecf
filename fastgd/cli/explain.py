"""`fastgd explain`: which columns a trained network uses, and how."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from .._common import random
from ..inspection import Importances, PartialDependence, partial_dependence, permutation_importance
from ..plot.axes import new_figure
from ..tables import TableEncoder
from .console import report, report_lines, shorten, write
from .evaluate import add_rows, read_rows
from .options import MAX_SEED, Help, integer, metric
from .pictures import save_picture
from .report import number
from .sources import check_column, name_of
from .trained import TrainedModel, load

_EXAMPLES = """\
examples:
  fastgd explain fastgd-model.npz test.csv
  fastgd explain houses.npz test.csv --column area --column age --plot area.png
"""
_NAME = 34  # characters of a column in the table
_BAR = 24
# Rows of the partial dependence, and points of each curve.
_ROWS, _POINTS = 1000, 30


def add_parser(commands: Any) -> None:
    """Add `explain` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "explain",
        help="show which columns a trained network uses, and how",
        description="List the columns by importance: how much worse the predictions become when the values of a column "
        "are permuted among the rows. Draw how the mean prediction depends on the most important ones.",
        epilog=_EXAMPLES,
        formatter_class=Help,
    )
    add_rows(parser)
    add = parser.add_argument
    # fmt: off
    add("--metric", type=metric, metavar="NAME", help="how to measure that (default: accuracy or RMSE)")
    add("--repeats", type=integer(1, 1000), default=5, metavar="N",
        help="permutations of each column (default: %(default)s)")
    add("--rows", type=integer(1, 10**9), default=20_000, metavar="N",
        help="maximum number of rows, drawn at random (default: %(default)s)")
    add("--seed", type=integer(0, MAX_SEED), default=0, metavar="N",
        help="seed of rows and permutations (default: %(default)s)")
    add("--column", action="append", metavar="NAME",
        help="a column whose effect is drawn; may be repeated (default: the four most important)")
    add("--plot", type=Path, metavar="FILE", help="the picture (default: fastgd-explain.png)")
    add("--no-plot", action="store_true", help="draw no picture")
    add("--json", action="store_true", help="print importances and curves as JSON")
    # fmt: on
    parser.set_defaults(command=explain)


def explain(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    model = load(options.model)
    frame, X, y = read_rows(model, options)
    rows = np.sort(random.permutation(options.seed, 0, len(X))[: options.rows])
    X, y, frame = X[rows], y[rows], None if frame is None else frame[rows]
    result = permutation_importance(
        model.of_inputs,
        X,
        y,
        metric=options.metric or ("rmse" if model.classes is None else "accuracy"),
        n_repeats=options.repeats,
        seed=options.seed,
        groups=None if model.table is None else _groups(model.table.encoder),
    )
    curves = _curves(model, X if frame is None else frame, result, options)
    if options.json:
        write(json.dumps(_as_json(result, curves, options), indent=2) + "\n")
    else:
        report(f"{name_of(options.file)}, {len(X):,} rows: {result.metric} {number(result.baseline)}")
        report_lines(_table(result))
    path, target = options.plot or Path("fastgd-explain.png"), options.target or model.target
    line = save_picture("picture", lambda: _draw(result, curves, target), path, options, dpi=120)
    if not options.json:
        report(line)


def _groups(encoder: TableEncoder) -> dict[str, list[int]]:
    """The features that are made of each column."""
    groups: dict[str, list[int]] = {}
    start = 0
    for column in encoder.columns:
        groups[column.name] = list(range(start, start + len(column.features)))
        start += len(column.features)
    return groups


def _curves(model: TrainedModel, X: Any, result: Importances, options: argparse.Namespace) -> list[PartialDependence]:
    """The dependence on the columns that are asked for, or on the most important ones."""
    names = result.feature_names.tolist()
    if options.column:
        for name in options.column:
            check_column(name, names, options.model.name)
    elif options.no_plot:
        return []
    important = [names[i] for i in np.argsort(-result.importances_mean, kind="stable")[:4]]
    some = X[np.linspace(0, len(X) - 1, min(_ROWS, len(X))).astype(int)]
    subject = model.network if model.table is None else model.table
    return [partial_dependence(subject, some, name, grid=_POINTS) for name in options.column or important]


def _table(result: Importances) -> list[str]:
    """A line for each column: its name, by how much the score becomes worse without it, and a bar."""
    order = np.argsort(-result.importances_mean, kind="stable")
    width = max(len("column"), *(len(shorten(name, _NAME)) for name in result.feature_names))
    largest = max(float(result.importances_mean.max()), 0.0) or 1.0
    lines = [f"  {'column':{width}}  without it, {result.metric} is worse by"]
    for i in order:
        mean, std = result.importances_mean[i], result.importances_std[i]
        bar = "#" * math.ceil(_BAR * max(mean, 0) / largest) if mean > 2 * std else ""
        name = shorten(result.feature_names[i], _NAME)
        lines.append(f"  {name:{width}}  {number(mean):>9} +- {number(std):<9} {bar}".rstrip())
    return lines


def _as_json(result: Importances, curves: list[PartialDependence], options: argparse.Namespace) -> dict[str, Any]:
    return {
        "model": str(options.model),
        "table": name_of(options.file),
        "metric": result.metric,
        "score": result.baseline,
        "importances": {
            name: {"mean": float(mean), "std": float(std)}
            for name, mean, std in zip(
                result.feature_names, result.importances_mean, result.importances_std, strict=True
            )
        },
        "partial_dependence": {
            curve.feature_names[0]: {
                "values": [value if isinstance(value, (int, float, bool)) else str(value) for value in grid.tolist()],
                **dict(zip(curve.output_names, curve.average.tolist(), strict=True)),
            }
            for curve in curves
            for grid in curve.grid_values
        },
    }


def _draw(result: Importances, curves: list[PartialDependence], target: str | None) -> Any:
    """The importances above the curves of the most important columns."""
    n_rows = 1 + math.ceil(len(curves) / 2)
    figure = new_figure(9.5, 3.0 + 3.4 * (n_rows - 1))
    grid = figure.add_gridspec(n_rows, 2)
    result.plot(figure.add_subplot(grid[0, :]), max_features=12)
    for i, curve in enumerate(curves):
        ax = curve.plot(figure.add_subplot(grid[1 + i // 2, i % 2]))
        ax.set_title("")
        if curve.output_names == ["prediction"] and target:
            ax.set_ylabel(f"mean prediction of {shorten(target, _NAME)}")
    return figure
