"""Entry point of the command line: `python -m fastgd train | predict | info`.

User errors are reported in one line on stderr and exit status 2, never as a traceback.
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
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        None: those of the process.

    Returns
    -------
    int
        The exit status.
    """
    try:
        options = _parser().parse_args(arguments)
        with np.errstate(over="ignore", invalid="ignore"):  # non-finite values are detected and reported
            options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (ValueError, TypeError, FloatingPointError, ImportError, MemoryError) as error:
        return _fail(str(error) or type(error).__name__)
    return 0


def _fail(message: str, status: int = 2) -> int:
    print(f"fastgd: error: {' '.join(message.split())}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line and leaves the usage to `--help`."""

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
