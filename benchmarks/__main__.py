"""python -m benchmarks: measure, then write docs/performance."""

import argparse
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from . import machine
from .peers import CONTENDERS
from .sections import SECTIONS, Options
from .workloads import WORKLOADS

HOME = Path(__file__).resolve().parents[1] / "docs" / "performance"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--sections",
        nargs="+",
        choices=SECTIONS,
        default=list(SECTIONS),
        metavar="NAME",
        help=f"what to measure: {' '.join(SECTIONS)} (default: all); other sections stay as they are",
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        metavar="NAME",
        help=f"of {' '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=list(CONTENDERS),
        metavar="NAME",
        help=f"of {' '.join(CONTENDERS)}; those that are not installed are left out",
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="of one turn (default: 0.3)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--out", type=Path, default=HOME, help="folder of the report (default: docs/performance)")
    parser.add_argument(
        "--draw", action="store_true", help="measure nothing: write report and pictures of results.json"
    )
    return parser.parse_args()  # fmt: skip


def main() -> None:
    arguments = _parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    if not arguments.draw:
        options = Options(tuple(arguments.workloads), tuple(arguments.contenders), arguments.seconds, arguments.rounds)
        for name in arguments.sections:
            begun = time.perf_counter()
            results[name] = SECTIONS[name](options)
            results.setdefault("dates", {})[name] = datetime.now().strftime("%Y-%m-%d %H:%M")
            print(f"{name}: {time.perf_counter() - begun:.0f} s")
            file.write_text(json.dumps(results, indent=1))
        results |= {"machine": machine.describe(), "limits": machine.limits()}
        results["settings"] = {"seconds": options.seconds, "rounds": options.rounds}
        file.write_text(json.dumps(results, indent=1))

    from . import report  # needs matplotlib

    report.write(results, arguments.out)
    print(f"wrote {arguments.out / 'README.md'}")


if __name__ == "__main__":
    main()
