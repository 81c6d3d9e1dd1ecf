"""`fastgd predict`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import datasets
from ..models import Sequential


def add_parser(commands: Any) -> None:
    """Add `predict` to the sub-commands of an argparse parser."""
    parser = commands.add_parser("predict", help="predictions of a trained network for the rows of a CSV file")
    parser.add_argument("model", type=Path, metavar="MODEL", help="file that train wrote")
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="the columns of the training, in their order")
    parser.add_argument("--target", metavar="COLUMN", help="column to leave out, as in train")
    parser.set_defaults(command=predict)


def predict(options: argparse.Namespace) -> None:
    model = Sequential.load(options.model)
    table = datasets.read_csv(options.file, options.target)
    if len(table.columns) != model.n_in:
        hint = "" if options.target else "; leave the target out by --target COLUMN"
        raise ValueError(
            f"{options.model.name} takes {model.n_in} columns, but {options.file.name} has {len(table.columns)}{hint}"
        )
    print(options.target or "prediction")
    print("\n".join(map(str, model.predict(table.X).tolist())))
