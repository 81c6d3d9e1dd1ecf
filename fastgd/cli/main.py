"""The command line: `python -m fastgd train | predict | info`.

A mistake of the user ends in one line on stderr and exit status 2, never in a traceback.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from .._version import __version__
from . import info, predict, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; `arguments` default to those of the process."""
    try:
        options = _parser().parse_args(arguments)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found and said in words
            options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough (`... | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except OSError as problem:
        return _fail(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem))
    except (ValueError, TypeError, FloatingPointError, ImportError, MemoryError) as problem:
        return _fail(str(problem) or type(problem).__name__)
    return 0


def _fail(message: str, status: int = 2) -> int:
    print(f"fastgd: error: {' '.join(message.split())}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is at `--help`."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_fail(f"{message} (see {self.prog} --help)"))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fastgd", description="Train dense neural networks by mini-batch gradient descent on a CPU.")
    parser.add_argument("--version", action="version", version=f"fastgd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="train | predict | info")
    train.add_parser(commands)
    predict.add_parser(commands)
    info.add_parser(commands)
    return parser
