"""`fastgd predict`: predict the rows of a CSV file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import datasets
from ..models import Sequential


def add_parser(commands: Any) -> None:
    """Add `predict` to the sub-commands of an argparse parser."""
    parser = commands.add_parser("predict", help="predict the rows of a CSV file with a trained network")
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file written by train")
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="the same columns as in train, in the same order")
    parser.add_argument("--target", metavar="COLUMN", help="column to ignore, the target of train")
    parser.set_defaults(command=predict)


def predict(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    model = Sequential.load(options.model)
    table = datasets.read_csv(options.file, options.target)
    if len(table.columns) != model.n_in:
        hint = "" if options.target else "; exclude the target with --target COLUMN"
        raise ValueError(
            f"{options.model.name} takes {model.n_in} columns, but {options.file.name} has {len(table.columns)}{hint}"
        )
    print(options.target or "prediction")
    print("\n".join(map(str, model.predict(table.X).tolist())))
