"""Entry point of the command line: `python -m fastgd train | predict | evaluate | explain | info | bench`.

User errors are reported in one line on stderr and exit status 2, never as a traceback.
"""

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from .._version import __version__
from . import bench, evaluate, explain, info, predict, train
from .console import INTERRUPTED, fail, flush, warn
from .options import Help
from .ranks import only_first_rank_prints

# What shells report of a program that SIGPIPE has ended.
BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        None: those of the process.

    Returns
    -------
    int
        The exit status: 0, 2 after an error, 130 after Ctrl-C, or 141 if the reader of the output closed the pipe.
    """
    with only_first_rank_prints():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        status = _run(arguments)
        flush()
        return status
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return fail("interrupted", INTERRUPTED)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return fail("not enough memory")
        return fail(f"{os.fspath(error.filename)}: {error.strerror}" if error.filename else str(error))
    except MemoryError as error:
        return fail(str(error) or "not enough memory")
    except (ValueError, TypeError, ArithmeticError, ImportError) as error:
        return fail(str(error) or type(error).__name__)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as exit:  # of --help, --version, or a wrong option
        return int(exit.code or 0)
    # non-finite values are detected and reported; advice does not show where in fastgd it comes from
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        is_quiet = getattr(options, "quiet", False)
        warnings.filterwarnings("ignore" if is_quiet else "always", category=UserWarning)
        warnings.showwarning = lambda message, *place: warn(str(message))
        return int(options.command(options) or 0)


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line and leaves the usage to `--help`."""

    def error(self, message: str) -> NoReturn:
        sys.exit(fail(f"{message} (see {self.prog} --help)"))


_EPILOG = """\
examples:
  fastgd train iris.csv --target species
  fastgd evaluate fastgd-model.npz test.csv
  fastgd explain fastgd-model.npz test.csv
  fastgd predict fastgd-model.npz new.csv > predicted.csv

exit status: 0 success, 2 error, reported in one line on standard error,
130 Ctrl-C, 141 the reader of the output closed the pipe
"""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastgd",
        description="Train dense neural networks by mini-batch gradient descent on a CPU.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument("--version", action="version", version=f"fastgd {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command_name")
    for command in (train, predict, evaluate, explain, info, bench):
        command.add_parser(commands)
    return parser
