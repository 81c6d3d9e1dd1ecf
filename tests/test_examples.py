"""Each example runs in a separate process and saves its figure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastgd as gd

pytest.importorskip("matplotlib")

EXTRAS = {"lbfgs": "scipy"}  # requirements of an example besides matplotlib
ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(example, *arguments, cwd):
    package = Path(gd.__file__).resolve().parents[1]
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(package)}
    command = [sys.executable, "-W", "error", str(example), *arguments]
    subprocess.run(command, cwd=cwd, env=environment, check=True, timeout=300)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example, tmp_path):
    pytest.importorskip(EXTRAS.get(example.stem, "matplotlib"))
    run(example, cwd=tmp_path)
    assert (tmp_path / f"{example.stem}.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_saved_to_the_given_path(tmp_path):
    run(EXAMPLES[0], "other.png", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.png"]


def test_there_are_examples():
    assert {example.stem for example in EXAMPLES} >= {"line", "sigmoids", "digits"}
