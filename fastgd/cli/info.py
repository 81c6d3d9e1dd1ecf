"""`fastgd info`: print versions and the engine in use."""

from __future__ import annotations

import argparse
from typing import Any

from .. import backend
from .console import output_errors


def add_parser(commands: Any) -> None:
    """Add `info` to the sub-commands of an argparse parser."""
    parser = commands.add_parser("info", help="print version, engine, instruction set, threads, compiler")
    parser.set_defaults(command=info)


def info(options: argparse.Namespace) -> None:
    """Run the sub-command."""
    with output_errors():
        backend.show_config()
