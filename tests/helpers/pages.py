"""The pages of the documentation: their text, and their blocks of code, which run as printed."""

import re
from pathlib import Path

import matplotlib
from matplotlib import pyplot

ROOT = Path(__file__).resolve().parents[2]


def text_of(path):
    """The text of a page, given from the root of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path, language="python"):
    """The blocks of code of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(path), re.MULTILINE | re.DOTALL)


def session_of(path, in_turn=True):
    """The names that the blocks define, each after the one before, or else those of the last block alone."""
    matplotlib.use("Agg")
    names = {}
    for block in blocks(path):
        names = names if in_turn else {}
        exec(compile(block, path, "exec"), names)
    pyplot.close("all")
    return names
