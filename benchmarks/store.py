"""results.json: one file per CPU, to which each part of a section is added when it has been measured.

The file holds {section: {part: result}}; "measured", when and how each "section/part" was; and "machine".
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from . import cpus, machine
from .fresh import ROOT

REPORT, SCRATCH = ROOT / "docs" / "performance", ROOT / "build" / "performance"
FILE = "results.json"

Result = dict[str, Any]


def home() -> Path:
    """The folder of complete results of this CPU."""
    return REPORT / cpus.this_cpu().slug


def folders() -> Iterator[Path]:
    """The folders of all CPUs."""
    yield from sorted(path.parent for path in REPORT.glob(f"*/{FILE}"))


def load(folder: Path) -> Result:
    """The results in a folder; {} if there are none."""
    return read(folder / FILE)


def read(file: Path) -> Result:
    """What a file of JSON holds; {} if there is none."""
    found: Result = json.loads(file.read_text()) if file.exists() else {}
    return found


def write(file: Path, results: Result) -> None:
    """Write a file of JSON; an interrupted write leaves the old one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(json.dumps(results, indent=1))
    fresh.replace(file)


def check_machine(results: Result, folder: Path) -> None:
    """SystemExit if results of another machine with the same kind of CPU are there: a file describes one machine."""
    known, here = results.get("machine", {}), machine.describe()
    if known and any(known[fact] != here[fact] for fact in ("brand", "cpus")):
        raise SystemExit(
            f"{folder / FILE} holds results of {known['cpus']} CPUs of {known['brand']}, not of {here['cpus']} CPUs of "
            f"{here['brand']}: remove it to replace them, or write to another folder with --out"
        )


def add(results: Result, key: str, found: Any, how: Result) -> None:
    """Add the result of a part, "section/part", and how it was measured."""
    section, part = key.split("/", 1)
    results.setdefault(section, {})[part] = found
    results.setdefault("measured", {})[key] = {"date": datetime.now().strftime("%Y-%m-%d %H:%M"), **how}
    results["machine"] = machine.describe()


def save(results: Result, folder: Path) -> None:
    """Write the results."""
    write(folder / FILE, results)


def commit() -> str:
    """The commit of this checkout, with "+" if what is measured has been changed since; "" without Git."""
    try:
        revision = _git("rev-parse", "--short", "HEAD")
        return revision + ("+" if _git("status", "--porcelain", "--", "fastgd", "csrc", "benchmarks") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
