"""README.md: its code runs as printed, and .ci/run runs its commands as printed."""

import re
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_code_runs_as_printed(tmp_path, monkeypatch):
    """The blocks are one session: a later one goes on with the names of those before it."""
    pytest.importorskip("safetensors")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    session = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), session)
    assert session["history"]["validation_accuracy"][-1] > 0.95
    assert (tmp_path / "digits.safetensors").exists()


def test_ci_runs_the_commands_as_printed():
    commands = [line for block in blocks("sh") for line in block.splitlines() if "&&" in line]
    script = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 2
    assert [command for command in commands if command not in script] == []
