"""Measure fastgd and its peers; write tables and figures.

    python -m benchmarks                    everything with all installed peers, to docs/performance
    python -m benchmarks --quick            training with the fastest peers, in less than three minutes
    python -m benchmarks training --workloads tiny digits --contenders fastgd torch-manual
    python -m benchmarks --draw             rewrite report and figures from results.json

Only complete results go to docs/performance: those of --quick and of selected workloads or contenders are printed, and
written to build/performance.
"""

import argparse
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from . import machine
from .peers import CONTENDERS, QUICK
from .sections import SECTIONS, Options
from .workloads import TRAININGS

ROOT = Path(__file__).resolve().parents[1]
REPORT, SCRATCH = ROOT / "docs" / "performance", ROOT / "build" / "performance"
QUICK_SECTIONS = ("training", "comparisons")
TOO_LONG = ("wide", "full-batch")  # for --quick


def _parse() -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=plain)
    _add_names(parser, "sections", SECTIONS, "what to measure")
    _add_names(parser, "--workloads", TRAININGS, "what to train")
    _add_names(parser, "--contenders", CONTENDERS, "what to compare, if installed")
    parser.add_argument("--quick", action="store_true", help="less of everything, in less than three minutes")
    parser.add_argument("--seconds", type=float, help="seconds per turn (default: 0.3, quick: 0.04)")
    parser.add_argument("--rounds", type=int, help="turns per contender (default: 7, quick: 3)")
    parser.add_argument(
        "--out", type=Path, help=f"folder of the report (default: {REPORT.relative_to(ROOT)}, see above)"
    )
    parser.add_argument("--draw", action="store_true", help="only rewrite the report")
    return parser.parse_args()


def _add_names(parser: argparse.ArgumentParser, flag: str, names: Any, what: str) -> None:
    text = f"{what}: {' '.join(names)} (default: all)"
    parser.add_argument(flag, nargs="*" if flag == "sections" else "+", metavar="NAME", default=[], help=text)


def _chosen(names: list[str], known: Any, default: Any) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; choose from {' '.join(known)}")
    return tuple(names or default)


def _measure(sections: tuple[str, ...], options: Options, results: dict[str, Any], file: Path) -> None:
    """Add measurements to `results`, and write them to the file after each section."""
    for name in sections:
        begun = time.perf_counter()
        results[name] = SECTIONS[name](options)
        results.setdefault("dates", {})[name] = datetime.now().strftime("%Y-%m-%d %H:%M")
        results["settings"] = {"seconds": options.seconds, "rounds": options.rounds}
        results |= {"machine": machine.describe(), "limits": machine.limits()}  # each measured once
        file.write_text(json.dumps(results, indent=1))
        print(f"{name}: {time.perf_counter() - begun:.0f} s")


def main() -> None:
    arguments = _parse()
    quick = arguments.quick
    sections = _chosen(arguments.sections, SECTIONS, QUICK_SECTIONS if quick else SECTIONS)
    options = Options(
        _chosen(arguments.workloads, TRAININGS, [name for name in TRAININGS if not quick or name not in TOO_LONG]),
        _chosen(arguments.contenders, CONTENDERS, QUICK if quick else CONTENDERS),
        arguments.seconds or (0.04 if quick else 0.3),
        arguments.rounds or (3 if quick else 7),
        quick,
    )
    is_complete = not (quick or arguments.workloads or arguments.contenders)
    out = arguments.out or (REPORT if is_complete else SCRATCH)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "results.json"
    results: dict[str, Any] = {}
    if file.exists() and (is_complete or arguments.draw):
        results = json.loads(file.read_text())
    if not arguments.draw:
        _measure(sections, options, results, file)

    from . import report  # needs matplotlib

    text = report.write(results, out)
    if not is_complete:
        print(text)
    print(f"wrote {out / 'README.md'}")


if __name__ == "__main__":
    main()
