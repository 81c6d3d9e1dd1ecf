"""Fresh processes: Python that imports fastgd from this checkout and may cache bytecode, and a call of a function."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]


def python(*arguments: str, folder: Path = ROOT, timeout: float | None = None) -> str:
    """What `python ARGUMENTS` prints.

    Parameters
    ----------
    *arguments : str
        Options, a program and its arguments.
    folder : Path
        Where it runs; the repository by default.
    timeout : float or None
        Seconds that it may take.

    Raises
    ------
    subprocess.CalledProcessError
        The program failed; `stderr` says why.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True, timeout=timeout
    )
    return done.stdout


def apart(function: Callable[..., T], *arguments: object) -> T:
    """What a function of a module returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
