"""`fastgd info`: print versions and the engine in use, or what a model file holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .. import backend
from .console import output_errors, quote, report, report_lines, write
from .options import Help
from .report import describe
from .trained import TrainedModel, load

_EXAMPLES = """\
examples:
  fastgd info
  fastgd info fastgd-model.npz
"""


def add_parser(commands: Any) -> None:
    """Add `info` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "info",
        help="print version, engine, instruction set, threads, compiler; or what a model file holds",
        description="Print version, engine, instruction set, threads and compiler, or what a model file holds.",
        epilog=_EXAMPLES,
        formatter_class=Help,
    )
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL", help="model file written by train")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(command=info)


def info(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    if options.model is not None:
        _tell_model(load(options.model), options)
    elif options.json:
        write(json.dumps(backend.config(), indent=2) + "\n")
    else:
        with output_errors():
            backend.show_config()


def _tell_model(model: TrainedModel, options: argparse.Namespace) -> None:
    network, facts = model.network, model.metadata
    kinds = {} if model.table is None else model.table.encoder.kinds
    if options.json:
        classes = None if model.classes is None else [str(label) for label in model.classes.tolist()]
        contents = {
            "target": model.target,
            "classes": classes,
            "columns": kinds,
            "networks": len(model.networks),
            "parameters": network.size,
        }
        write(json.dumps({**contents, **facts}, indent=2) + "\n")
        return
    if model.target is not None:
        labels = "" if model.classes is None else f", {quote(list(map(str, model.classes.tolist())))}"
        report(f"target: {model.target!r} of {facts['table']}{labels}")
    names = network.feature_names_in_
    if kinds:
        report_lines([f"{len(kinds)} columns:", *(f"    {name!r}: {kind}" for name, kind in kinds.items())])
    elif names is not None:
        report(f"{len(names)} numeric columns: {quote(names.tolist(), limit=20)}")
    report_lines(network.summary().splitlines())
    if len(model.networks) > 1:
        report(f"{len(model.networks)} networks of this shape, whose predictions are averaged")
    if "scores" in facts:
        seconds = f", {facts['seconds']:.1f} seconds" if "seconds" in facts else ""
        report(
            f"trained on {facts['training_rows']:,} rows, {facts['epochs']} epochs, loss {facts['loss']}, batch size "
            f"{facts['batch_size']}{seconds}"
        )
        for paragraph in describe(facts["scores"], facts["part"]):
            report(paragraph)
        report(f"made with {', '.join(f'{name} {version}' for name, version in facts['versions'].items())}")
